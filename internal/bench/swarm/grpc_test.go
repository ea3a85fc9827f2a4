package swarm

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is the server's side of a stream, by golang.org/x/net/http2, which reads what the client wrote.
type peer struct {
	*http2.Framer
	toClient bytes.Buffer
	toServer bytes.Buffer
	body     []byte // of the stream, from the client
	frames   []int  // lengths of its data
	windows  int    // bytes that the client has given back, of the stream
	acks     int    // of settings and pings
}

func newPeer() *peer {
	p := &peer{}
	p.Framer = http2.NewFramer(&p.toClient, &p.toServer)
	return p
}

// hear reads what the client has written.
func (p *peer) hear(t *testing.T, r *rpc) {
	t.Helper()
	p.toServer.Write(r.out)
	r.out = r.out[:0]
	for p.toServer.Len() > 0 {
		f, err := p.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			p.body = append(p.body, f.Data()...)
			p.frames = append(p.frames, len(f.Data()))
		case *http2.WindowUpdateFrame:
			if f.StreamID == theStream {
				p.windows += int(f.Increment)
			}
		case *http2.SettingsFrame:
			if f.IsAck() {
				p.acks++
			}
		case *http2.PingFrame:
			if f.IsAck() && f.Data == [8]byte{1, 2, 3} {
				p.acks++
			}
		default:
			t.Fatalf("the client sent %v", f)
		}
	}
}

// tell has the client take what the server wrote.
func (p *peer) tell(r *rpc) error {
	b := p.toClient.Bytes()
	for len(b) > 0 {
		f, size, err := readFrame2(b)
		if err != nil {
			return err
		}
		if err := r.take(f); err != nil {
			return err
		}
		b = b[size:]
	}
	p.toClient.Reset()
	return nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGreetingOpensAStream(t *testing.T) {
	b, ok := bytes.CutPrefix(greeting2(Options{Address: netip.MustParseAddrPort("127.0.0.1:8083"), Path: "/a.B/C"}), []byte(http2.ClientPreface))
	if !ok {
		t.Fatalf("the greeting begins with %q", b)
	}
	framer := http2.NewFramer(nil, bytes.NewReader(b))
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	settings, err := framer.ReadFrame()
	must(t, err)
	if window, ok := settings.(*http2.SettingsFrame).Value(http2.SettingInitialWindowSize); !ok || window != receiveWindow {
		t.Errorf("a window of %d, %t", window, ok)
	}
	if f, err := framer.ReadFrame(); err != nil || f.(*http2.WindowUpdateFrame).Increment != receiveWindow-usualWindow {
		t.Errorf("then %v, %v", f, err)
	}
	headers, err := framer.ReadFrame()
	must(t, err)
	got := headers.(*http2.MetaHeadersFrame)
	if got.StreamEnded() || got.PseudoValue("path") != "/a.B/C" || got.PseudoValue("authority") != "127.0.0.1:8083" || got.PseudoValue("method") != "POST" {
		t.Errorf("the request is %v", got)
	}
}

func TestMessagesAreCutToTheWindows(t *testing.T) {
	r, p := newRPC(nil, nil), newPeer()
	const window = 40_000
	must(t, p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	must(t, p.WritePing(false, [8]byte{1, 2, 3}))
	must(t, p.tell(r))
	var want []byte
	for _, size := range []int{3, 0, 30_000, 50_000, 7} {
		message := bytes.Repeat([]byte{byte(size)}, size)
		want = append(binary.BigEndian.AppendUint32(append(want, 0), uint32(size)), message...)
		r.send(message)
	}
	p.hear(t, r)
	if len(p.body) != window || p.acks != 2 {
		t.Fatalf("%d bytes in a window of %d, %d acknowledgements", len(p.body), window, p.acks)
	}
	must(t, p.WriteWindowUpdate(theStream, 100_000))
	must(t, p.tell(r))
	if p.hear(t, r); len(p.body) != usualWindow {
		t.Fatalf("%d bytes in the connection's window of %d", len(p.body), usualWindow)
	}
	must(t, p.WriteWindowUpdate(0, 100_000))
	must(t, p.tell(r))
	if p.hear(t, r); !bytes.Equal(p.body, want) {
		t.Errorf("%d bytes came, or others than the %d that were sent", len(p.body), len(want))
	}
	for _, n := range p.frames {
		if n > usualFrame {
			t.Errorf("a frame of %d bytes", n)
		}
	}
}

func TestMessagesArriveWhole(t *testing.T) {
	var got []string
	r, p := newRPC(nil, func(m []byte) { got = append(got, string(m)) }), newPeer()
	want := []string{"one", "", strings.Repeat("two", 10_000), "three"}
	var stream []byte
	for _, m := range want {
		stream = append(appendPrefix(stream, len(m)), m...)
	}
	for _, size := range []int{1, 2, 7, 1000, usualFrame} {
		got = nil
		for at := 0; at < len(stream); at += size {
			must(t, p.WriteData(theStream, false, stream[at:min(at+size, len(stream))]))
		}
		must(t, p.tell(r))
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("in pieces of %d bytes: %d messages, want %d", size, len(got), len(want))
		}
	}
	for range receiveWindow / usualFrame {
		must(t, p.WriteData(theStream, false, appendPrefix(make([]byte, 0, usualFrame), usualFrame-prefix)[:usualFrame]))
		must(t, p.tell(r))
	}
	if p.hear(t, r); p.windows < receiveWindow/2 {
		t.Errorf("of %d bytes the client gave back %d", receiveWindow, p.windows)
	}
}

func TestEndsOfStreams(t *testing.T) {
	for want, say := range map[string]func(p *peer) error{
		"reset":         func(p *peer) error { return p.WriteRSTStream(theStream, http2.ErrCodeCancel) },
		`"go home"`:     func(p *peer) error { return p.WriteGoAway(theStream, http2.ErrCodeNo, []byte("go home")) },
		"compressed":    func(p *peer) error { return p.WriteData(theStream, false, []byte{1, 0, 0, 0, 0}) },
		"2147483647":    func(p *peer) error { return p.WriteData(theStream, false, []byte{0, 0x7f, 0xff, 0xff, 0xff}) },
		"several":       func(p *peer) error { return p.headers(http2.HeadersFrameParam{}) },
		"HTTP status 4": func(p *peer) error { return p.headers(http2.HeadersFrameParam{EndHeaders: true}, ":status", "404") },
		"status 12 no method": func(p *peer) error {
			return p.headers(http2.HeadersFrameParam{EndHeaders: true, EndStream: true}, "grpc-status", "12", "grpc-message", "no method")
		},
		"padding":  func(p *peer) error { return p.WriteDataPadded(theStream, false, nil, make([]byte, 4)) },
		"of 20000": func(p *peer) error { return p.WriteData(theStream, false, make([]byte, 20_000)) },
	} {
		r, p := newRPC(nil, nil), newPeer()
		must(t, say(p))
		if err := p.tell(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something about %s", err, want)
		}
	}
	r, p := newRPC(nil, nil), newPeer()
	must(t, p.headers(http2.HeadersFrameParam{EndHeaders: true}, ":status", "200"))
	if err := p.tell(r); err != nil {
		t.Errorf("a good answer: %v", err)
	}
}

// headers writes names and values.
func (p *peer) headers(param http2.HeadersFrameParam, fields ...string) error {
	var block bytes.Buffer
	packed := hpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := packed.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	param.StreamID, param.BlockFragment = theStream, block.Bytes()
	return p.WriteHeaders(param)
}
