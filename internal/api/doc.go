// Package api is what the gateway offers over plain HTTP: publishing for backends, health for whoever runs it,
// figures for Prometheus, and the console's page.
//
//	gateway.go  GatewayService: Publish over Connect, gRPC, gRPC-Web and JSON
//	codec.go    its messages, in the wire's own JSON and Protobuf
//	health.go   /healthz and /readyz
//	metrics.go  /metrics
//	console.go  the console, and what it has to know
package api
