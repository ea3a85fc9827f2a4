package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"
)

// frame is what the harness reads of a frame.
type frame struct {
	Type       string   `json:"type"`
	RequestID  string   `json:"requestId"`
	Channel    string   `json:"channel"`
	Offset     uint64   `json:"offset"`
	Position   position `json:"position"`
	Tail       uint64   `json:"tail"`
	Epoch      string   `json:"epoch"`
	FromOffset uint64   `json:"fromOffset"`
	ToOffset   uint64   `json:"toOffset"`
	Reason     string   `json:"reason"`
	MessageID  string   `json:"messageId"`
	Recovered  bool     `json:"recovered"`
	Error      struct {
		Code      string `json:"code"`
		Message   string `json:"message"`
		Retryable bool   `json:"retryable"`
	} `json:"error"`
}

// position is where somebody is in a channel.
type position struct {
	Epoch  string `json:"epoch"`
	Offset uint64 `json:"offset"`
}

// line is a client's line. It knows nothing of the SDKs, so that these cannot cover up what the gateway does.
type line struct{ conn *websocket.Conn }

// maxFrame is the largest frame that a client takes.
const maxFrame = 1 << 20

func dial(ctx context.Context, url string) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, patience/4)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(maxFrame)
	return &line{conn}, nil
}

func (l *line) write(ctx context.Context, format string, args ...any) error {
	return l.conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, format, args...))
}

func (l *line) read(ctx context.Context) (f frame, err error) {
	_, data, err := l.conn.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(data, &f)
}

func (l *line) cut() { _ = l.conn.CloseNow() }
