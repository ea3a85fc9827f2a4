// Command grpcrelay is the peer that calls are compared with: what one would write with gRPC where clients that cannot be
// dialled are to serve calls. Every client, whether it calls or serves, holds one bidirectional stream; the relay hands each
// call to the server with the fewest in hand, and its answer back to the caller. It knows no rights, no deadlines and no queue.
//
//	grpcrelay --listen 127.0.0.1:8083
//
// What is said on the streams is in internal/bench/relay.
//
//	main.go    the command line, and the server of gRPC
//	relay.go   who serves what, and which calls are under way
//	client.go  one stream
//	codec.go   frames for gRPC
package main

import (
	"flag"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"

	"github.com/magpie-bridge/magpie/internal/bench/relay"
)

// window is how much a client may send ahead. It is fixed, since gRPC would otherwise send pings to find one.
const window = 1 << 20

func main() {
	listen := flag.String("listen", "127.0.0.1:8083", "address to listen on")
	version := flag.Bool("version", false, "print the version of gRPC")
	flag.Parse()
	if *version {
		fmt.Println("grpc-go", grpc.Version)
		return
	}
	if err := serve(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "grpcrelay:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	l, err := net.Listen("tcp", address) //nolint:noctx // it listens until the process ends
	if err != nil {
		return err
	}
	fmt.Println("grpcrelay listens on", l.Addr())
	return newServer(newRouter()).Serve(l)
}

func newServer(r *router) *grpc.Server {
	s := grpc.NewServer(grpc.ForceServerCodecV2(codec{}), grpc.StaticStreamWindowSize(window), grpc.StaticConnWindowSize(window))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: relay.Service,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName:    relay.Stream,
			Handler:       func(_ any, stream grpc.ServerStream) error { return newClient(stream).run(r) },
			ServerStreams: true,
			ClientStreams: true,
		}},
	}, r)
	return s
}
