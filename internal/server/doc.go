// Package server builds a gateway from its configuration, starts it and stops it.
//
//	gateway.go  Gateway: engine, hub, loops and routes; what a Go program embeds
//	routes.go   which path leads where
//	rules.go    what holds for each channel, from the configuration
//	reload.go   taking up another configuration while the gateway runs
//	system.go   what the gateway says of itself in channels of its own
//	filters.go  the filters of subscriptions, each compiled once
//	presence.go who is here, from the configuration
//	sessions.go what outlives a line, from the configuration
//	tls.go      the certificate, and its renewal
//	access.go   who may come in, from the configuration
//	pace.go     how much garbage there may be
//	giveback.go memory given back after a rush of clients
//	server.go   Server: a gateway with a listener and the sources of its own
//	sources.go  log files, and the gateway's own log
//	datadir.go  the directory of what outlives the process
package server
