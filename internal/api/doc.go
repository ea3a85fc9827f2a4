// Package api is what the gateway offers over plain HTTP: the server API for backends and operators, health for whoever runs
// it, figures for Prometheus, and the console's page.
//
//	gateway.go        GatewayService over Connect, gRPC, gRPC-Web and JSON: who may call which of its methods
//	publish.go        Broadcast and Send; Publish, History and Presence are the hub's
//	call.go           Call
//	reload.go         reading the configuration again
//	channels.go       Channels
//	sessions.go       Sessions, Disconnect, Subscribe and Unsubscribe
//	subscriptions.go  Subscriptions: which of them are behind
//	node.go           Node
//	interceptors.go   what stands around each method: spans, the log, figures, panics, deadlines
//	grpc.go           reflection and health of gRPC
//	codec.go          the messages, in the wire's own JSON and Protobuf
//	json.go           the JSON of those messages that are no frames
//	health.go         /healthz and /readyz
//	metrics.go        /metrics
//	lag.go            its figures about subscriptions that are behind
//	console.go        the console, and what it has to know
package api
