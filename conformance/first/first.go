// First is a first client without an SDK: it prints every frame of a channel.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/coder/websocket"
)

func main() {
	ctx := context.Background()
	line, _, err := websocket.Dial(ctx, "ws://127.0.0.1:8080/ws", nil)
	if err == nil {
		line.SetReadLimit(1 << 20) // a message may be larger than the library's 32 KiB
		err = line.Write(ctx, websocket.MessageText, []byte(`{"type":"subscribe","requestId":"1","channel":"chat.lobby"}`))
	}
	for err == nil {
		var frame []byte
		_, frame, err = line.Read(ctx)
		fmt.Println(string(frame))
	}
	log.Fatal(err)
}
