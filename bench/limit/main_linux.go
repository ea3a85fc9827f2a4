// Command limit is the yardstick: the least that a program can do and still carry WebSocket messages to many lines. It
// is one epoll loop that writes finished frames, of the very length of Magpie's, to every reader of a channel, in slices,
// and reads the end of the channel anew for each reader. There is no protocol beyond the handshake of WebSocket, no check of
// anything, no history, no fairness, no heartbeat. What it reaches is about what the kernel allows; what a gateway
// reaches of that is what the rest of its work costs.
//
//	limit --listen 127.0.0.1:8082
//
// A message to it is a letter, a channel's number, a space and the payload: S subscribes, P publishes, E is echoed.
//
//	main_linux.go     the command line
//	loop_linux.go     the sockets
//	line_linux.go     one line: handshake, frames
//	channel_linux.go  channels and the fan-out
//	sys_linux.go      system calls without a word to Go's scheduler
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8082", "address to listen on")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func run(address string) error {
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	l, err := newLoop(where)
	if err != nil {
		return err
	}
	fmt.Println("limit listens on", where)
	return l.run()
}
