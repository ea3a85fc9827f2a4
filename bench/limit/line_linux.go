package main

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the handshake of RFC 6455 asks for it
	"encoding/base64"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// line is one connection.
type line struct {
	fd       int
	channel  *channel
	cursor   int // in the channel's log: what has been written
	place    int // among the channel's readers
	in       []byte
	out      []byte // what the kernel did not take of answers
	upgraded bool
	waiting  bool // for the kernel to take more
	closed   bool
}

func (l *loop) read(c *line) {
	n, err := read(c.fd, l.buf)
	switch {
	case err == unix.EAGAIN:
		return
	case err != 0 || n == 0:
		l.close(c)
		return
	}
	b := l.buf[:n]
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	l.out = l.out[:0]
	rest := l.consume(c, b)
	switch {
	case c.closed:
		return
	case len(rest) > 0:
		c.in = append(c.in[:0], rest...)
	default:
		c.in = nil
	}
	l.answer(c)
}

// answer writes what one line alone is to get.
func (l *loop) answer(c *line) {
	b := l.out
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return // it is waiting already
	}
	if len(b) == 0 {
		return
	}
	n, err := write(c.fd, b)
	switch {
	case err == unix.EAGAIN:
		n = 0
	case err != 0:
		l.close(c)
		return
	}
	if n < len(b) {
		c.out = append(c.out, b[n:]...)
		l.await(c)
	}
}

func (l *loop) await(c *line) {
	if !c.waiting {
		c.waiting = true
		if l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN|unix.EPOLLOUT) != nil {
			l.close(c)
		}
	}
}

func (l *loop) writable(c *line) {
	c.waiting = false
	if l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN) != nil {
		l.close(c)
		return
	}
	if len(c.out) > 0 {
		l.out = append(l.out[:0], c.out...)
		c.out = nil
		l.answer(c)
	}
	if c.channel != nil && !c.waiting && !c.closed {
		l.flush(c)
	}
}

// consume takes what is whole from the beginning of b and returns the rest.
func (l *loop) consume(c *line, b []byte) []byte {
	if !c.upgraded {
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end < 0 {
			return b
		}
		l.out = appendUpgrade(l.out, b[:end])
		c.upgraded = true
		b = b[end+4:]
	}
	for !c.closed {
		payload, size := unframe(b)
		if size == 0 {
			return b
		}
		if b[0]&0x0F == 0x8 { // close
			l.close(c)
			return nil
		}
		l.command(c, payload)
		b = b[size:]
	}
	return nil
}

// command does what a message asks for.
func (l *loop) command(c *line, message []byte) {
	if len(message) < 2 {
		return
	}
	number, at := 0, 1
	for ; at < len(message) && message[at] != ' '; at++ {
		number = number*10 + int(message[at]-'0')
	}
	payload := message[min(at+1, len(message)):]
	switch message[0] {
	case 'S':
		l.channel(number).add(c)
		l.out = appendText(l.out, `{"type":"subscribed","requestId":"s","channel":"bench.0","position":{"epoch":"","offset":0},"tail":0,"recovered":false}`)
	case 'P':
		l.publish(l.channel(number), payload)
	case 'E':
		const before, after = `{"type":"reply","requestId":"123456","data":"`, `"}`
		l.out = appendHeader(l.out, len(before)+len(payload)+len(after))
		l.out = append(append(append(l.out, before...), payload...), after...)
	}
}

func appendText(b []byte, text string) []byte { return append(appendHeader(b, len(text)), text...) }

// appendHeader appends the header of a text frame.
func appendHeader(b []byte, length int) []byte {
	switch {
	case length < 126:
		return append(b, 0x81, byte(length))
	case length < 1<<16:
		return append(b, 0x81, 126, byte(length>>8), byte(length))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0x81, 127), uint64(length))
	}
}

// unframe takes the masked frame at the beginning of b, in place. size is 0 while it is incomplete.
func unframe(b []byte) (payload []byte, size int) {
	if len(b) < 6 {
		return nil, 0
	}
	n, head := int(b[1]&0x7F), 2
	switch n {
	case 126:
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		return nil, 0 // no message of the load tool is so long
	}
	if len(b) < head+4+n {
		return nil, 0
	}
	key := binary.LittleEndian.Uint32(b[head:])
	wide := uint64(key)<<32 | uint64(key)
	payload = b[head+4 : head+4+n]
	i := 0
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(payload[i:], binary.LittleEndian.Uint64(payload[i:])^wide)
	}
	for ; i < n; i++ {
		payload[i] ^= byte(key >> (8 * (i & 3)))
	}
	return payload, head + 4 + n
}

// appendUpgrade answers the handshake.
func appendUpgrade(b, request []byte) []byte {
	const mark, magic = "Sec-WebSocket-Key: ", "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	_, rest, _ := bytes.Cut(request, []byte(mark))
	key, _, _ := bytes.Cut(rest, []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), magic...)) //nolint:gosec // the handshake of RFC 6455 asks for it
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = base64.StdEncoding.AppendEncode(b, sum[:])
	return append(b, "\r\n\r\n"...)
}
