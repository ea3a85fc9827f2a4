package magpieclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// connectTimeout bounds everything between dialling and connected.
	connectTimeout = 15 * time.Second
	// writeTimeout is how long the gateway may leave a frame untaken: it always reads, unless it or the way is dead.
	writeTimeout = 30 * time.Second
	// maxAnswers bounds the answers to a gateway that asks and does not read.
	maxAnswers = 1024
)

// line is one connection: it is read by the goroutine that runs the client, and written by one of its own.
type line struct {
	conn    *websocket.Conn
	codec   wire.Codec
	decoder wire.Decoder   // reader only
	hello   wire.Connected // set once
	bye     *wire.Goodbye  // reader only
	ctx     context.Context
	cancel  context.CancelCauseFunc

	began time.Time
	heard atomic.Int64 // when the gateway was last heard, as nanoseconds since began
	held  atomic.Bool  // nothing is read, for a consumer's sake: silence says nothing

	wake chan struct{}

	mu  sync.Mutex // guards the fields below
	out []wire.Frame
}

// dial makes a connection and presents the credential. Its error is always a [*lineError].
func (c *Client) dial() (*line, error) {
	ctx, cancel := context.WithTimeout(c.ctx, connectTimeout)
	defer cancel()
	token := c.opts.Token
	if c.opts.TokenFunc != nil {
		var err error
		if token, err = c.opts.TokenFunc(ctx); err != nil {
			return nil, &lineError{err: fmt.Errorf("fetch a token: %w", err)}
		}
	}
	l := &line{codec: c.opts.Codec.wire(), began: time.Now(), wake: make(chan struct{}, 1)}
	conn, response, err := websocket.Dial(ctx, c.opts.URL, &websocket.DialOptions{ //nolint:bodyclose // Dial closes it
		HTTPClient:   c.opts.HTTPClient,
		HTTPHeader:   c.opts.Header,
		Subprotocols: []string{c.opts.Codec.subprotocol()},
		OnPingReceived: func(context.Context, []byte) bool {
			l.touch()
			return true
		},
	})
	if err != nil {
		return nil, refusedHandshake(response, withoutURL(err))
	}
	conn.SetReadLimit(c.opts.MaxFrameBytes)
	l.conn = conn
	if err := l.greet(ctx, c, token); err != nil {
		_ = conn.CloseNow() // the reason is err
		return nil, err
	}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l, nil
}

// greet sends connect and waits for connected.
func (l *line) greet(ctx context.Context, c *Client, token string) error {
	agreed := l.conn.Subprotocol()
	if agreed != c.opts.Codec.subprotocol() && (agreed != "" || c.opts.Codec != CodecJSON) {
		return &lineError{err: fmt.Errorf("the gateway does not speak %s", c.opts.Codec.subprotocol()), final: true}
	}
	hello := wire.Frame{RequestID: "0", Body: &wire.Connect{
		Token:         token,
		Resume:        c.resumption(),
		ClientName:    c.opts.Name,
		ClientVersion: c.opts.Version,
		Device:        c.opts.Device,
	}}
	if err := l.send(ctx, l.codec.Append(nil, &hello)); err != nil {
		return &lineError{err: fmt.Errorf("send connect: %w", err)}
	}
	for {
		f, err := l.receive(ctx)
		if err != nil {
			return brokenLine(fmt.Errorf("wait for connected: %w", err), l.bye)
		}
		switch body := f.Body.(type) {
		case *wire.Connected:
			l.hello = *body
			return nil
		case *wire.Error:
			return refusedConnect(body)
		case *wire.Goodbye:
			l.parting(body)
		}
	}
}

// run reads until the line ends, and tells why it did.
func (l *line) run(c *Client) error {
	var group sync.WaitGroup
	group.Go(func() { l.write(c) })
	group.Go(l.watch)
	group.Go(func() {
		select {
		case <-c.ctx.Done():
			_ = l.conn.Close(websocket.StatusNormalClosure, "") // the peer may be gone already
			l.cancel(ErrClosed)
		case <-l.ctx.Done():
		}
	})
	err := l.read(c)
	l.cancel(err)
	group.Wait()
	_ = l.conn.CloseNow() // the reason is err
	return err
}

func (l *line) read(c *Client) error {
	for {
		f, err := l.receive(l.ctx)
		if err != nil {
			if cause := context.Cause(l.ctx); cause != nil {
				err = cause
			}
			return brokenLine(err, l.bye)
		}
		c.dispatch(l, &f)
	}
}

// receive reads one frame, which is valid until the next call. Frames of an unknown type are left out, as the protocol
// asks.
func (l *line) receive(ctx context.Context) (wire.Frame, error) {
	var f wire.Frame
	for {
		kind, data, err := l.conn.Read(ctx)
		if err != nil {
			return f, err
		}
		l.touch()
		if kind == websocket.MessageText && string(data) == "pong" {
			continue
		}
		err = l.decoder.Decode(l.codec, data, &f)
		if err == nil {
			return f, nil
		}
		if wire.AsError(err).Code != wire.CodeUnimplemented {
			return f, fmt.Errorf("a frame of the gateway cannot be understood: %w", err)
		}
	}
}

// parting notes what the gateway says before it closes.
func (l *line) parting(bye *wire.Goodbye) {
	noted := *bye
	l.bye = &noted
}

// push queues a frame; frames leave in the order in which they were pushed.
func (l *line) push(f wire.Frame) {
	l.mu.Lock()
	l.out = append(l.out, f)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// answer queues a frame that the gateway asked for, unless too many of them are waiting.
func (l *line) answer(f wire.Frame) {
	l.mu.Lock()
	full := len(l.out) >= maxAnswers
	l.mu.Unlock()
	if !full {
		l.push(f)
	}
}

func (l *line) write(c *Client) {
	var buf []byte
	for {
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return
		}
		l.mu.Lock()
		frames := l.out
		l.out = nil
		l.mu.Unlock()
		for i := range frames {
			buf = l.codec.Append(buf[:0], &frames[i])
			if limit := l.hello.MaxFrameBytes; limit > 0 && int64(len(buf)) > limit {
				c.tooLarge(frames[i].RequestID, len(buf), limit)
				continue
			}
			if err := l.send(l.ctx, buf); err != nil {
				l.cancel(fmt.Errorf("write to the gateway: %w", err))
				return
			}
		}
	}
}

func (l *line) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	kind := websocket.MessageText
	if l.codec == wire.Protobuf {
		kind = websocket.MessageBinary
	}
	return l.conn.Write(ctx, kind, data)
}

// withoutURL drops from err the address that was dialled: it may contain a credential.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
