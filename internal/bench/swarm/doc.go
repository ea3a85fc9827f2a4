// Package swarm is the client side of the load tool: thousands of WebSocket lines, or gRPC streams, in one goroutine.
//
// A client library with a goroutine and buffers for each line costs more than the servers that are to be measured. So
// this one has non-blocking sockets over an epoll of its own, one read buffer for all, frames that are scanned where
// they were read, and small masked frames made by hand. It is for Linux.
//
//	options.go      what a swarm is made from, and who is told what happens
//	upgrade.go      the handshake: request and answer
//	frame.go        WebSocket frames of a client, written and read
//	http2.go        frames of HTTP/2, as far as one stream needs them
//	grpc.go         a gRPC stream instead of a WebSocket line
//	swarm_linux.go  the epoll, dialling, turns
//	line_linux.go   one line: reading, writing, its end
//	tls_linux.go    lines over TLS
//	limit_linux.go  how many files a process may have open
//	swarm_other.go  elsewhere there is none
package swarm
