// Package api is what the gateway offers over plain HTTP: publishing for backends, health for whoever runs it,
// figures for Prometheus, and the console's page.
//
//	gateway.go        GatewayService over Connect, gRPC, gRPC-Web and JSON: Publish
//	subscriptions.go  Subscriptions: which of them are behind
//	codec.go          the messages, in the wire's own JSON and Protobuf
//	health.go         /healthz and /readyz
//	metrics.go        /metrics
//	lag.go            its figures about subscriptions that are behind
//	console.go        the console, and what it has to know
package api
