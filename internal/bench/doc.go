// Package bench measures how much a real-time server carries: it opens thousands of WebSocket lines, makes traffic, checks
// that every message arrives once and in order, and counts what that cost the server.
//
//	options.go   what to measure
//	run.go       the stages, one after the other
//	stage.go     one stage: its lines, its clock, its result
//	crew.go      lines that connect, subscribe and keep alive
//	scenario.go  the list of scenarios
//	idle.go fanout.go channels.go echo.go call.go filters.go connect.go storm.go publish.go mixed.go replay.go handshakes.go    one scenario each
//	traffic.go   messages in flight, from publish to the last delivery
//	stamp.go     what a payload says about itself
//	reader.go    order, loss and duplicates at one subscriber
//	viewer.go    the same at one that has a filter
//	records.go   log records, filters, and which lets what through
//	result.go    the figures
//
// The packages below: swarm has the sockets, target the protocols, histogram the latencies, process the server's
// processor time and memory, report the tables and charts.
package bench
