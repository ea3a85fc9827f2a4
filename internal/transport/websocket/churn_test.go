package websocket

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The crowd of the test below. All of it is connected at once before the first message, which is twice as many descriptors.
const (
	crowd         = 5000
	crowdChannels = 100
	crowdMessages = 30 // of each channel
)

// A crowd comes and goes while a hundred channels are published to. Some say goodbye, some vanish, some break off within a
// frame; each goes on from its own last position, and none may lose a message, see one twice, or in another order.
func TestACrowdThatComesAndGoesLosesNothing(t *testing.T) {
	onEachDriver(t, func(t *testing.T, r *rig) {
		var here, done sync.WaitGroup
		start := make(chan struct{})
		here.Add(crowd)
		for i := range crowd {
			done.Go(func() {
				w := &wanderer{rig: r, channel: "crowd." + strconv.Itoa(i%crowdChannels), rnd: rand.New(rand.NewPCG(uint64(i), 1))}
				first := sync.OnceFunc(here.Done)
				defer first()
				for w.last < crowdMessages {
					if err := w.live(func() { first(); <-start }); err != nil {
						t.Errorf("client %d: %v", i, err)
						return
					}
				}
			})
		}
		here.Wait()
		r.sessions(t, crowd)
		close(start)
		for n := range wire.Offset(crowdMessages) {
			for ch := range crowdChannels {
				name := wire.ChannelName("crowd." + strconv.Itoa(ch))
				r.publish(t, name, wire.Payload{Kind: wire.PayloadText, Bytes: strconv.AppendUint(nil, uint64(n+1), 10)})
			}
			time.Sleep(time.Millisecond) // so that most of it is live; nothing depends on it
		}
		done.Wait()
		r.sessions(t, 0)
	})
}

// wanderer is a client that costs little.
type wanderer struct {
	rig     *rig
	channel string
	rnd     *rand.Rand
	last    wire.Offset
	lives   int
}

// live connects, goes on from the last offset and breaks off after some messages, or when it has them all. ready is called
// once it is subscribed.
func (w *wanderer) live(ready func()) error {
	nc, err := net.Dial("tcp", w.rig.address())
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		return err
	}
	subscribe := fmt.Sprintf(`{"type":"subscribe","requestId":"1","channel":%q,"from":{"offset":%d}}`, w.channel, w.last)
	if _, err := nc.Write(append([]byte(handshake(w.rig.address())), whole(opText, subscribe)...)); err != nil {
		return err
	}
	in := bufio.NewReaderSize(nc, 512)
	for line := []byte("-"); len(bytes.TrimSpace(line)) > 0; {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
	}
	var d wire.Decoder
	var f wire.Frame
	for left := 1 + w.rnd.IntN(crowdMessages); left > 0 && w.last < crowdMessages; {
		b, err := readText(in)
		if err != nil {
			return err
		}
		if err := d.Decode(wire.JSON, b, &f); err != nil {
			return err
		}
		switch body := f.Body.(type) {
		case *wire.Connected:
		case *wire.Subscribed:
			ready()
		case *wire.Message:
			if err := w.take(body); err != nil {
				return err
			}
			left--
		default:
			return fmt.Errorf("unexpected %#v", body)
		}
	}
	return w.leave(nc)
}

func (w *wanderer) take(m *wire.Message) error {
	if m.Offset != w.last+1 || string(m.Payload.Bytes) != strconv.FormatUint(uint64(m.Offset), 10) || string(m.Channel) != w.channel {
		return fmt.Errorf("%s: offset %d with %q came behind %d of %s", m.Channel, m.Offset, m.Payload.Bytes, w.last, w.channel)
	}
	w.last = m.Offset
	return nil
}

// leave ends the connection in one of several ways.
func (w *wanderer) leave(nc net.Conn) error {
	switch w.lives++; w.rnd.IntN(4) {
	case 0: // with a goodbye
		_, _ = nc.Write(whole(opClose, closing(wire.CloseNormal, "")))
	case 1: // reset within a frame
		_, _ = nc.Write(whole(opText, `{"type":"ping"}`)[:7])
		return nc.(*net.TCPConn).SetLinger(0)
	case 2: // half closed, and gone a little later
		return nc.(*net.TCPConn).CloseWrite()
	}
	return nil
}

// readText reads a short frame of the gateway's.
func readText(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	if opcode(head[0]&opcodeBits) != opText {
		return nil, fmt.Errorf("a frame that begins with %#x", head[0])
	}
	n := int(head[1])
	if n == 126 {
		if _, err := io.ReadFull(in, head[2:]); err != nil {
			return nil, err
		}
		n = int(binary.BigEndian.Uint16(head[2:]))
	}
	b := make([]byte, n)
	_, err := io.ReadFull(in, b)
	return b, err
}

func TestWanderersNoticeFaults(t *testing.T) {
	message := func(offset wire.Offset, text string) *wire.Message {
		return &wire.Message{Channel: "crowd.1", Offset: offset, Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(text)}}
	}
	for what, m := range map[string]*wire.Message{
		"lost": message(5, "5"), "twice": message(3, "3"), "swapped": message(4, "5"),
		"another channel's": {Channel: "crowd.2", Offset: 4, Payload: wire.Payload{Bytes: []byte("4")}},
	} {
		w := &wanderer{channel: "crowd.1", last: 3}
		if w.take(m) == nil {
			t.Errorf("a message that is %s was taken", what)
		}
	}
	if err := (&wanderer{channel: "crowd.1", last: 3}).take(message(4, "4")); err != nil {
		t.Error(err)
	}
}
