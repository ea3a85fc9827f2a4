package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/netloop"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestPayloadsCrossBetweenCodecs(t *testing.T) {
	onEachDriver(t, crossBetweenCodecs)
}

func TestPayloadsCrossBetweenCodecsOverTLS(t *testing.T) {
	for _, driver := range []netloop.Driver{netloop.DriverAuto, netloop.DriverGoroutine} {
		t.Run(string(driver), func(t *testing.T) { crossBetweenCodecs(t, newRig(t, rigOptions{tls: true, driver: driver})) })
	}
}

func TestPayloadsCrossBetweenCodecsCompressed(t *testing.T) {
	crossBetweenCodecs(t, newRig(t, rigOptions{compression: true}))
}

func TestBombsEndToEnd(t *testing.T) {
	r := newRig(t, rigOptions{compression: true})
	const limit = 64 << 10
	bomb := string(pack(t, make([]byte, 1000*limit/16)))
	first := func(fin byte) byte { return fin | rsv1Bit | byte(opText) }
	for name, sent := range map[string][]byte{
		"in one frame": rawFrame{first: first(finBit), payload: []byte(bomb)}.bytes(),
		"in fragments": append(rawFrame{first: first(0), payload: []byte(bomb[:100])}.bytes(), whole(opContinuation, bomb[100:])...),
	} {
		c := r.connectRaw(t).upgrade(sent)
		if code, err := c.ending(); code != wire.CloseTooBig {
			t.Errorf("%s: closed with %d, %v", name, code, err)
		}
	}
	for name, first := range map[string]byte{
		"ping":         finBit | rsv1Bit | byte(opPing),
		"continuation": finBit | rsv1Bit | byte(opContinuation),
		"second bit":   finBit | 0x20 | byte(opText),
	} {
		c := r.connectRaw(t).upgrade(rawFrame{first: first}.bytes())
		if code, err := c.ending(); code != wire.CloseProtocolError {
			t.Errorf("reserved bit on %s: closed with %d, %v", name, code, err)
		}
	}
}

func crossBetweenCodecs(t *testing.T, r *rig) {
	readers := []*peer{r.dial(t, SubprotocolJSON), r.dial(t, SubprotocolProtobuf), r.dial(t)}
	for _, p := range readers {
		p.send("1", &wire.Subscribe{Channel: "order.update"})
		expect[*wire.Connected](p, "")
		expect[*wire.Subscribed](p, "1")
	}
	payloads := []wire.Payload{
		{Kind: wire.PayloadJSON, Bytes: []byte(`{"a":[1, 2.50, 12345678901234567890],"b":"\u00e9<>&"}`)},
		{Kind: wire.PayloadText, Bytes: []byte("tab\t, NUL \x00, é and 𝄞")},
		{Kind: wire.PayloadBytes, Bytes: []byte{0, 1, 0xfe, 0xff}},
		{Kind: wire.PayloadText, Bytes: []byte{}},
		{Kind: wire.PayloadText, Bytes: []byte(strings.Repeat("long enough to be worth compressing; ", 500))},
		{Kind: wire.PayloadNone},
	}
	offset := wire.Offset(0)
	for _, publisher := range readers[:2] {
		for i, payload := range payloads {
			id := fmt.Sprint("m", i)
			publisher.send(id, &wire.Publish{Channel: "order.update", Publication: wire.Publication{Payload: payload, Tags: wire.Pairs{{Key: "region", Value: "eu"}}}})
			offset++
			for _, p := range readers {
				received := 0
				for received == 0 { // the publisher's answer may come before the message, or behind it
					f, err := p.next()
					if err != nil {
						t.Fatal(err)
					}
					switch b := f.Body.(type) {
					case *wire.Published:
						if p != publisher || f.RequestID != id || b.Position.Offset != offset {
							t.Fatalf("unexpected answer %q %+v", f.RequestID, b)
						}
					case *wire.Message:
						received++
						if b.Offset != offset || b.Payload.Kind != payload.Kind || string(b.Payload.Bytes) != string(payload.Bytes) || len(b.Tags) != 1 || b.Publisher != "dev" {
							t.Errorf("%v to %v: received %+v, want offset %d and %+v", publisher.codec, p.codec, b, offset, payload)
						}
					default:
						t.Fatalf("unexpected %#v", b)
					}
				}
			}
		}
	}
}

func TestBarePing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		c := r.connectRaw(t).upgrade()
		c.send(whole(opText, "ping"))
		if f, err := c.frame(); err != nil || f != (serverFrame{opText, "pong"}) {
			t.Errorf("received %v and %v", f, err)
		}
		c.send(whole(opText, `{"type":"ping","requestId":"7"}`))
		c.want(opText, `"connected"`)
		c.want(opText, `"pong"`)
		// The word is one of the JSON line alone.
		p := r.dial(t, SubprotocolProtobuf)
		if err := p.conn.Write(t.Context(), coder.MessageBinary, []byte("ping")); err != nil {
			t.Fatal(err)
		}
		expect[*wire.Error](p, "")
	})
}

func TestBytesBehindTheHandshakeAreNotLost(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		frames := [][]byte{
			whole(opText, `{"type":"connect","requestId":"1"}`),
			whole(opText, `{"type":"subscribe","requestId":"2","channel":"a"}`),
			whole(opText, `{"type":"publish","requestId":"3","channel":"a","text":"early"}`),
		}
		all := slices.Concat(frames...)
		for _, cut := range []int{len(all), 1, 40, len(frames[0]), len(all) - 1} {
			c := r.connectRaw(t).upgrade(all[:cut]) // in one segment with the request
			c.send(all[cut:])
			c.want(opText, `"connected","requestId":"1"`)
			c.want(opText, `"subscribed","requestId":"2"`)
			c.want(opText, `"published","requestId":"3"`)
			c.want(opText, `"text":"early"`)
			_ = c.Close()
		}
		// And what is broken there is refused, and its session counted out.
		c := r.connectRaw(t).upgrade(claiming(finBit|byte(opText), 1<<63))
		if code, err := c.ending(); code != wire.CloseProtocolError {
			t.Errorf("closed with %d, %v", code, err)
		}
		_ = c.Close()
		r.sessions(t, 0)
	})
}

// A session that was full within a read, and has room again behind it, goes on by itself.
func TestRequestsBeyondTheOutboxAreAllAnswered(t *testing.T) {
	for _, driver := range []netloop.Driver{netloop.DriverAuto, netloop.DriverGoroutine} {
		t.Run(string(driver), func(t *testing.T) {
			r := newRig(t, rigOptions{driver: driver, settings: session.Settings{MaxOutbox: 1 << 10}})
			c := r.connectRaw(t).upgrade(whole(opText, `{"type":"connect"}`))
			c.want(opText, `"connected"`)
			const requests = 500
			var sent []byte
			for n := range requests {
				sent = append(sent, whole(opText, fmt.Sprintf(`{"type":"unsubscribe","requestId":"%d","channel":"x"}`, n))...)
			}
			c.send(sent)
			for n := range requests {
				c.want(opText, fmt.Sprintf(`"requestId":"%d"`, n))
			}
		})
	}
}

func TestFramingAttacksEndToEnd(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		neighbour := r.connectRaw(t).upgrade()
		for _, a := range framingAttacks() {
			c := r.connectRaw(t).upgrade()
			c.send(a.sent)
			if code, err := c.ending(); code != a.code {
				t.Errorf("%s: closed with %d, %v; want %d", a.name, code, err, a.code)
			}
			_ = c.Close()
		}
		neighbour.send(whole(opText, "ping"))
		neighbour.want(opText, "pong")
		r.sessions(t, 1)
	})
}

func TestClosingHandshake(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		p := r.dial(t, SubprotocolJSON)
		p.send("1", &wire.Ping{})
		if err := p.conn.Close(coder.StatusNormalClosure, "bye"); err != nil {
			t.Errorf("closing: %v", err)
		}
		// A client may end its side of the connection right behind its close frame.
		for range 50 {
			c := r.connectRaw(t).upgrade()
			c.send(whole(opClose, closing(wire.CloseNormal, "")))
			_ = c.Conn.(*net.TCPConn).CloseWrite()
			if code, err := c.ending(); code != wire.CloseNormal {
				t.Fatalf("the close was answered with %d, %v", code, err)
			}
		}
		r.sessions(t, 0)
	})
}

func TestResetInTheMiddleOfAFrame(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		frame := whole(opText, `{"type":"publish","requestId":"3","channel":"a","text":"half"}`)
		for cut := range len(frame) {
			c := r.connectRaw(t).upgrade()
			c.send(frame[:cut])
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
		r.sessions(t, 0)
		if n := r.hub.Metrics.Published.Load(); n != 0 {
			t.Errorf("%d messages were published by half a frame", n)
		}
	})
}

func TestConnectFrame(t *testing.T) {
	authenticator, good := testTokens(t)
	for _, driver := range []netloop.Driver{netloop.DriverAuto, netloop.DriverGoroutine} {
		t.Run(string(driver), func(t *testing.T) {
			r := newRig(t, rigOptions{driver: driver, authenticator: authenticator})
			connect := func(token string) []byte {
				return whole(opText, `{"type":"connect","requestId":"1","token":"`+token+`"}`)
			}
			// What follows in the same segment waits until the token has been looked at, and is not lost.
			c := r.connectRaw(t).upgrade(connect(good), whole(opText, `{"type":"ping","requestId":"2"}`), whole(opText, "ping"))
			c.want(opText, `"userId":"alice"`)
			c.want(opText, `"pong","requestId":"2"`)
			c.want(opText, "pong")

			c = r.connectRaw(t).upgrade(connect("a.b.c"), whole(opText, `{"type":"publish","requestId":"2","channel":"a","text":"x"}`))
			c.want(opText, `"unauthenticated"`)
			c.want(opText, `"goodbye"`)
			if code, err := c.ending(); code != wire.CloseUnauthorized {
				t.Errorf("closed with %d, %v", code, err)
			}
			if n := r.hub.Metrics.Published.Load(); n != 0 {
				t.Errorf("%d messages were published by nobody", n)
			}
		})
	}
}

func TestSilentClientIsClosed(t *testing.T) {
	authenticator, _ := testTokens(t)
	for _, driver := range []netloop.Driver{netloop.DriverAuto, netloop.DriverGoroutine} {
		t.Run(string(driver), func(t *testing.T) {
			r := newRig(t, rigOptions{driver: driver, authenticator: authenticator, settings: session.Settings{ConnectTimeout: 50 * time.Millisecond}})
			c := r.connectRaw(t).upgrade()
			c.want(opText, `"goodbye"`)
			if code, err := c.ending(); code != wire.CloseConnectTimeout {
				t.Errorf("closed with %d, %v", code, err)
			}
		})
	}
}

// numbered is the payload of the n-th message.
func numbered(n wire.Offset) wire.Payload {
	return wire.Payload{Kind: wire.PayloadText, Bytes: fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", 1000))}
}

// ledger checks what one client receives of a channel whose n-th message is numbered(n).
type ledger struct{ last wire.Offset }

func (l *ledger) take(m *wire.Message) error {
	if m.Offset != l.last+1 {
		return fmt.Errorf("offset %d came behind %d", m.Offset, l.last)
	}
	if string(m.Payload.Bytes) != string(numbered(m.Offset).Bytes) {
		return fmt.Errorf("offset %d carries %.20q", m.Offset, m.Payload.Bytes)
	}
	l.last = m.Offset
	return nil
}

func TestLedgerFindsFaults(t *testing.T) {
	for _, offsets := range [][]wire.Offset{{1, 3}, {1, 1}, {2, 1}, {1, 2, 2}, {1, 3, 2}} {
		var l ledger
		var err error
		for _, n := range offsets {
			err = errors.Join(err, l.take(&wire.Message{Offset: n, Payload: numbered(n)}))
		}
		if err == nil {
			t.Errorf("%v were found in order", offsets)
		}
	}
	if (&ledger{}).take(&wire.Message{Offset: 1, Payload: numbered(2)}) == nil {
		t.Error("a wrong payload was taken")
	}
}

func TestClientThatNeverReadsDisturbsNobody(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		subscribe := whole(opText, `{"type":"subscribe","requestId":"1","channel":"busy"}`)
		for range 4 {
			c := r.connectRaw(t).upgrade(subscribe)
			go c.send(repeated(whole(opPing, "answer this"), 100_000)...) // and never read
		}
		p := r.dial(t, SubprotocolJSON)
		p.send("1", &wire.Subscribe{Channel: "busy"})
		expect[*wire.Connected](p, "")
		expect[*wire.Subscribed](p, "1")
		var l ledger
		for range 2000 { // 2 MB: more than the kernel holds for those who do not read
			r.publish(t, "busy", numbered(l.last+1))
			if err := l.take(expect[*wire.Message](p, "")); err != nil {
				t.Fatal(err)
			}
		}
		p.send("2", &wire.Call{Method: "magpie.echo", Payload: numbered(1)})
		expect[*wire.Reply](p, "2")
	})
}

// One who stops reading for a while finds everything, in order, when he goes on.
func TestSlowReaderCatchesUp(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		p := r.dial(t, SubprotocolProtobuf)
		p.send("1", &wire.Subscribe{Channel: "busy"})
		expect[*wire.Connected](p, "")
		expect[*wire.Subscribed](p, "1")
		const n = 8000 // of 1 KB: half of what is retained
		for i := range wire.Offset(n) {
			r.publish(t, "busy", numbered(i+1))
		}
		var l ledger
		for l.last < n {
			if err := l.take(expect[*wire.Message](p, "")); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Clients come and go while messages are published. Each goes on from its own last position, and none may lose a
// message, see one twice, or in another order.
func TestClientsThatComeAndGoLoseNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		const clients = 200
		published := make(chan struct{})
		go func() {
			defer close(published)
			for n := range wire.Offset(lifelong) {
				r.publish(t, "busy", numbered(n+1))
				if n%8 == 0 {
					time.Sleep(time.Millisecond) // so that most of it is live
				}
			}
		}()
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), 1))
				var l ledger
				for l.last < lifelong {
					if err := oneLife(t, r, &l, 1+rnd.IntN(lifelong/2), i); err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		<-published
		r.sessions(t, 0)
	})
}

// lifelong is how many messages a client has received when all its lives are over.
const lifelong = 200

// oneLife connects, goes on from the ledger, and breaks off after some messages, or when it has them all.
func oneLife(t *testing.T, r *rig, l *ledger, messages, client int) error {
	p, err := r.tryDial(t, []string{SubprotocolJSON, SubprotocolProtobuf}[client%2])
	if err != nil {
		return err
	}
	defer func() { _ = p.conn.CloseNow() }()
	if err := p.write("1", &wire.Subscribe{Channel: "busy", From: wire.Start{Kind: wire.StartOffset, Offset: l.last}}); err != nil {
		return err
	}
	answered := false
	for messages > 0 && l.last < lifelong {
		f, err := p.next()
		if err != nil {
			return err
		}
		switch b := f.Body.(type) {
		case *wire.Connected:
		case *wire.Subscribed:
			answered = true
		case *wire.Message:
			if !answered {
				return errors.New("a message came before the answer")
			}
			if err := l.take(b); err != nil {
				return err
			}
			messages--
		default:
			return fmt.Errorf("unexpected %#v", b)
		}
	}
	return nil
}

// The end of the group is the end of every line, whatever state it is in.
func TestGroupCloseEndsEveryLine(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		var lines []*raw
		for range 20 {
			lines = append(lines, r.connectRaw(t).upgrade(whole(opText, `{"type":"subscribe","channel":"a"}`)))
		}
		r.sessions(t, 20)
		r.group.Close()
		for _, c := range lines {
			if _, err := io.Copy(io.Discard, c.reader); isTimeout(err) {
				t.Errorf("the line did not end: %v", err)
			}
		}
		r.sessions(t, 0)
		// Whoever comes now is let in by nobody, and counted out again.
		nc, err := net.Dial("tcp", r.address())
		if err != nil {
			return // the loops accepted, and do no more
		}
		defer nc.Close()
		c := &raw{t, nc, bufio.NewReader(nc)}
		c.send([]byte(handshake(r.address())))
		_, _ = io.Copy(io.Discard, c.reader)
		r.sessions(t, 0)
	})
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return ok && netErr.Timeout()
}
