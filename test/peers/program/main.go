// Program is one of three that do the same in Go, in Java (Peer.java) and in a browser's tab (peer.html): a client that
// calls and serves methods on a line of its own, without an SDK, as it is told.
//
//	program NAME URL
//
// It connects to the gateway at URL and obeys the lines it reads:
//
//	send FRAME                         sends the frame with a requestId of its own: serve, unserve or subscribe
//	call ID FRAME                      makes the call, with a requestId of its own and ID as its meta "id"
//	cancel ID                          gives that call up
//
// It tells what comes from the gateway, each frame as it came, behind a word and a name:
//
//	connected NAME FRAME               at the beginning
//	served METHOD FRAME                it serves the method now; unserved METHOD, subscribed CHANNEL likewise
//	part ID FRAME                      progress of its call
//	outcome ID FRAME                   its call's reply or error
//	called ID FRAME                    somebody calls a method of it
//	canceled ID FRAME                  the caller waits no more
//	other - FRAME                      nothing it has waited for
//
// A frame is JSON on one line. What a method does that it is called for is told by the last word of its name, whether it
// has said that it serves it or is called for itself:
//
//	*.reply     replies {"from":NAME,"got":what it was given}, with the meta of the call
//	*.wait      answers nothing
//	*.count     sends the progress 0, 1 ... 39, as far as there is credit for it, then replies {"credit":how much was given}
//	*.fail      answers with the error failed_precondition, and details
//	*.relay     is given {"method":...,"data":...}, makes that call, and hands on what comes of it
//	any other   answers with the error unimplemented
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/coder/websocket"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: program NAME URL")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// waiting is how many frames and commands may wait for each other: more than any test has under way, so that nothing
// here ever holds up the line, in either direction.
const waiting = 100_000

// run obeys until its input ends, or the line.
func run(ctx context.Context, name, url string) error {
	line, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return fmt.Errorf("dial %s: %w", url, err)
	}
	defer line.CloseNow()
	line.SetReadLimit(1 << 20)
	p := &peer{name: name, out: make(chan []byte, waiting), asked: map[string]origin{}, serving: map[string]*task{}}
	frames, commands, failed := make(chan []byte, waiting), make(chan string), make(chan error, 2)
	go func() { failed <- write(ctx, line, p.out) }()
	go func() { failed <- read(ctx, line, frames) }()
	go func() { failed <- obey(commands) }()
	p.send(&frame{Type: "connect", Device: name})
	for {
		select {
		case raw := <-frames:
			p.frame(raw)
		case command := <-commands:
			p.command(command)
		case err := <-failed:
			return err
		}
	}
}

func write(ctx context.Context, line *websocket.Conn, out <-chan []byte) error {
	for raw := range out {
		if err := line.Write(ctx, websocket.MessageText, raw); err != nil {
			return err
		}
	}
	return nil
}

func read(ctx context.Context, line *websocket.Conn, frames chan<- []byte) error {
	for {
		_, raw, err := line.Read(ctx)
		if err != nil {
			return err
		}
		frames <- raw
	}
}

func obey(commands chan<- string) error {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		commands <- strings.TrimSpace(input.Text())
	}
	return input.Err()
}
