package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2/hpack"
)

// prefix is how many bytes stand before a message of gRPC: whether it is compressed, and its length.
const prefix = 5

// rpc is the client's side of a bidirectional gRPC stream that has an HTTP/2 connection to itself. It knows no socket: what
// is to be written is appended to out, what came is handed to take.
type rpc struct {
	out     []byte
	deliver func(message []byte)

	opened  bool   // the server's settings have come
	initial int    // the window that new streams have, by the server's settings
	largest int    // how much a frame may carry
	stream  int    // bytes that may be sent on the stream
	line    int    // bytes that may be sent on the connection
	waiting []byte // messages for which there is no room, with their prefixes
	body    []byte // the beginning of a message that is not whole
	taken   int    // bytes that came and of which the server has not been told
	headers *hpack.Decoder
}

func newRPC(greeting []byte, deliver func(message []byte)) *rpc {
	return &rpc{
		out: append([]byte(nil), greeting...), deliver: deliver,
		initial: usualWindow, largest: usualFrame, stream: usualWindow, line: usualWindow,
	}
}

// send appends a message, or as much of it as the server has room for.
func (r *rpc) send(message []byte) {
	whole := prefix + len(message)
	if len(r.waiting) == 0 && whole <= r.room() {
		r.stream -= whole
		r.line -= whole
		r.out = appendHead2(r.out, frameData, 0, theStream, whole)
		r.out = append(appendPrefix(r.out, len(message)), message...)
		return
	}
	r.waiting = append(appendPrefix(r.waiting, len(message)), message...)
	r.release()
}

func appendPrefix(dst []byte, size int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(size))
}

// room is how large the next frame may be.
func (r *rpc) room() int { return min(r.stream, r.line, r.largest) }

// release sends of what waits as much as there is room for.
func (r *rpc) release() {
	rest := r.waiting
	for len(rest) > 0 && r.room() > 0 {
		n := min(len(rest), r.room())
		r.stream -= n
		r.line -= n
		r.out = append(appendHead2(r.out, frameData, 0, theStream, n), rest[:n]...)
		rest = rest[n:]
	}
	r.waiting = append(r.waiting[:0], rest...)
}

// take handles a frame of the server. An error ends the line.
func (r *rpc) take(f frame2) error {
	switch f.kind {
	case frameData:
		return r.data(f)
	case frameHeaders:
		return r.header(f)
	case frameSettings:
		return r.settings(f)
	case framePing:
		if f.flags&flagAck == 0 {
			r.out = append(appendHead2(r.out, framePing, flagAck, 0, len(f.payload)), f.payload...)
		}
	case frameWindow:
		if len(f.payload) != 4 {
			return errors.New("the server sent a window update of another size than four bytes")
		}
		more := int(binary.BigEndian.Uint32(f.payload) &^ (1 << 31))
		if f.stream == 0 {
			r.line += more
		} else {
			r.stream += more
		}
		r.release()
	case frameReset:
		return fmt.Errorf("the server reset the stream: %x", f.payload)
	case frameGoAway:
		return fmt.Errorf("the server closed the connection: %q", f.payload[min(8, len(f.payload)):])
	}
	return nil // what else there is may be ignored
}

// data hands over the messages that are whole.
func (r *rpc) data(f frame2) error {
	r.taken += len(f.payload)
	if r.taken >= receiveWindow/2 {
		r.out = appendWindow(appendWindow(r.out, 0, r.taken), theStream, r.taken)
		r.taken = 0
	}
	b := f.payload
	if len(r.body) > 0 {
		r.body = append(r.body, b...)
		b = r.body
	}
	for len(b) >= prefix {
		if b[0] != 0 {
			return errors.New("the server sent a compressed message, which was not asked for")
		}
		n := int(binary.BigEndian.Uint32(b[1:]))
		if n > maxMessage {
			return fmt.Errorf("the server announced a message of %d bytes", n)
		}
		if len(b) < prefix+n {
			break
		}
		r.deliver(b[prefix : prefix+n])
		b = b[prefix+n:]
	}
	r.body = append(r.body[:0], b...)
	return nil
}

// header reads the answer to the request, which is to be good, and what is said at the stream's end.
func (r *rpc) header(f frame2) error {
	if f.flags&flagEndHeaders == 0 {
		return errors.New("the server sent headers in several frames, which is not for this tool")
	}
	if r.headers == nil {
		const usualTable = 4096
		r.headers = hpack.NewDecoder(usualTable, nil)
	}
	fields, err := r.headers.DecodeFull(f.payload)
	if err != nil {
		return fmt.Errorf("the server's headers: %w", err)
	}
	said := make(map[string]string)
	for _, field := range fields {
		said[field.Name] = field.Value
	}
	if status, ok := said[":status"]; ok && status != "200" {
		return fmt.Errorf("the server refused the stream: HTTP status %s", status)
	}
	if f.flags&flagEndStream != 0 {
		return fmt.Errorf("the server ended the stream: status %s %s", said["grpc-status"], said["grpc-message"])
	}
	return nil
}

func (r *rpc) settings(f frame2) error {
	if f.flags&flagAck != 0 {
		return nil
	}
	for b := f.payload; len(b) >= bytesPerSetting; b = b[bytesPerSetting:] {
		value := int(binary.BigEndian.Uint32(b[2:]))
		switch binary.BigEndian.Uint16(b) {
		case settingWindow:
			r.stream += value - r.initial
			r.initial = value
		case settingFrame:
			r.largest = value
		}
	}
	r.opened = true
	r.out = appendHead2(r.out, frameSettings, flagAck, 0, 0)
	r.release()
	return nil
}
