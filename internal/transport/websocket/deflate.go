package websocket

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// permessage-deflate (RFC 7692) without context takeover on either side: a message is compressed by itself, so that its
// finished frame serves every subscriber, and an idle line needs no window.

// deflateAnswer is what the gateway agrees to.
const deflateAnswer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// deflateAbove is the size of a payload from which compression is worth its while: below, it saves next to nothing.
const deflateAbove = 256

// flushTail ends every flushed block; the sender leaves it out and the receiver puts it back (RFC 7692, section 7.2.1).
const flushTail = "\x00\x00\xff\xff"

// offersDeflate reports whether one of the client's offers can be agreed to: all but those that ask for a smaller
// window of the server's than the 32 KiB that it compresses with.
func offersDeflate(h http.Header) bool {
	for offer := range tokens(h, "Sec-Websocket-Extensions") {
		if acceptable(offer) {
			return true
		}
	}
	return false
}

func acceptable(offer string) bool {
	name, parameters, _ := strings.Cut(offer, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return false
	}
	seen := make(map[string]bool)
	for parameter := range strings.SplitSeq(parameters, ";") {
		key, value, valued := strings.Cut(strings.TrimSpace(parameter), "=")
		if key == "" && parameters == "" {
			return true
		}
		value = strings.Trim(value, `"`)
		bits, err := strconv.Atoi(value)
		window := err == nil && bits >= 8 && bits <= 15 && value[0] != '0'
		known := false
		switch key {
		case "server_no_context_takeover", "client_no_context_takeover":
			known = !valued
		case "server_max_window_bits":
			known = window && bits == 15
		case "client_max_window_bits":
			known = window || !valued
		}
		if !known || seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// deflater compresses one payload at a time.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	w, err := flate.NewWriter(&d.out, flate.BestSpeed)
	if err != nil {
		panic("websocket: a flate level is wrong: " + err.Error())
	}
	d.w = w
	return d
}}

// deflateFrom compresses dst[start:] in place, unless that makes it no smaller. It reports whether it did.
func deflateFrom(dst []byte, start int) (smaller []byte, deflated bool) {
	payload := dst[start:]
	if len(payload) < deflateAbove {
		return dst, false
	}
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.w.Reset(&d.out)
	if _, err := d.w.Write(payload); err != nil {
		return dst, false
	}
	if err := d.w.Flush(); err != nil {
		return dst, false
	}
	packed := bytes.TrimSuffix(d.out.Bytes(), []byte(flushTail))
	if len(packed) >= len(payload) {
		return dst, false
	}
	return append(dst[:start], packed...), true
}

// inflater expands one message at a time.
type inflater struct {
	in  inflateInput
	r   io.ReadCloser
	out []byte
}

// inflateInput is a message with the tail that its sender left out, and a final empty block, so that the reader sees
// an end. It is an io.ByteReader, or flate would put a buffer around it.
type inflateInput struct {
	parts [2][]byte
}

var inflateEnd = []byte(flushTail + "\x01\x00\x00\xff\xff")

func (in *inflateInput) Read(p []byte) (int, error) {
	for i := range in.parts {
		if len(in.parts[i]) > 0 {
			n := copy(p, in.parts[i])
			in.parts[i] = in.parts[i][n:]
			return n, nil
		}
	}
	return 0, io.EOF
}

func (in *inflateInput) ReadByte() (byte, error) {
	for i := range in.parts {
		if b := in.parts[i]; len(b) > 0 {
			in.parts[i] = b[1:]
			return b[0], nil
		}
	}
	return 0, io.EOF
}

var inflaters = sync.Pool{New: func() any {
	f := &inflater{}
	f.r = flate.NewReader(&f.in)
	return f
}}

// release gives the inflater back; what expand returned is no longer valid.
func (f *inflater) release() {
	f.in = inflateInput{}
	inflaters.Put(f)
}

// expand returns the message, and refuses one that would be larger than limit: nothing beyond that is expanded.
func (f *inflater) expand(message []byte, limit int) ([]byte, *refusal) {
	f.in = inflateInput{parts: [2][]byte{message, inflateEnd}}
	if err := f.r.(flate.Resetter).Reset(&f.in, nil); err != nil {
		return nil, refuse(wire.CloseInternal, "the message could not be expanded")
	}
	out := f.out[:0]
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		room := out[len(out):min(cap(out), limit+1)]
		n, err := f.r.Read(room)
		out = out[:len(out)+n]
		f.out = out
		switch {
		case len(out) > limit:
			return nil, refuse(wire.CloseTooBig, "the message is larger than the gateway takes once it is expanded")
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, refuse(wire.CloseInvalidPayload, "the message is not well compressed")
		}
	}
}
