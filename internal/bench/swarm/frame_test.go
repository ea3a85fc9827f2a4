package swarm

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// unmasked reads a client's frame, as a server would.
func unmasked(t *testing.T, frame []byte) (op byte, payload []byte) {
	t.Helper()
	if frame[1]&maskBit == 0 {
		t.Fatal("the frame is not masked")
	}
	at := 2
	switch frame[1] &^ maskBit {
	case length16:
		at = 4
	case length64:
		at = 10
	}
	key := frame[at : at+4]
	for i, x := range frame[at+4:] {
		payload = append(payload, x^key[i%4])
	}
	// Without mask and key it is a server's frame, which readFrame takes.
	plain := append([]byte{frame[0], frame[1] &^ maskBit}, frame[2:at]...)
	op, got, size, err := readFrame(append(plain, payload...))
	if err != nil || size != len(frame)-4 || !bytes.Equal(got, payload) {
		t.Fatalf("%d of %d bytes, %v", size, len(frame)-4, err)
	}
	return op, payload
}

func TestFramesOfEveryLength(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 7, 8, 9, 13, 125, 126, 127, 65535, 65536, 70001} {
		want := bytes.Repeat([]byte("0123456789a"), n/11+1)[:n]
		op, got := unmasked(t, appendFrame(nil, opBinary, want, 0xa1b2c3d4))
		if op != opBinary || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: opcode %d, %d bytes", n, op, len(got))
		}
	}
}

func TestIncompleteFramesAreWaitedFor(t *testing.T) {
	for _, n := range []int{0, 5, 126, 70000} {
		head := appendFrame(nil, opText, make([]byte, n), 0)
		frame := append([]byte{head[0], head[1] &^ maskBit}, head[2:len(head)-4-n]...)
		frame = append(frame, make([]byte, n)...)
		for cut := range min(len(frame), 20) {
			if _, _, size, err := readFrame(frame[:cut]); size != 0 || err != nil {
				t.Fatalf("%d of %d bytes were taken for a frame: %v", cut, len(frame), err)
			}
		}
		if _, _, size, err := readFrame(append(frame, 0x81, 9)); size != len(frame) || err != nil {
			t.Errorf("a frame of %d bytes: %d, %v", len(frame), size, err)
		}
	}
}

func TestFramesThatNoServerMaySend(t *testing.T) {
	for want, frame := range map[string][]byte{
		"fragments":           {0x01, 0},
		"extensions":          {0xC1, 0},
		"masked":              {0x81, 0x80},
		"message of 16777217": {0x82, 127, 0, 0, 0, 0, 1, 0, 0, 1},
	} {
		if _, _, _, err := readFrame(frame); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: %v, want something about %s", frame, err, want)
		}
	}
}

func TestAnswersToTheHandshake(t *testing.T) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + upgradeAccept + "\r\n\r\nrest"
	rest, done, err := readAnswer([]byte(good))
	if string(rest) != "rest" || !done || err != nil {
		t.Errorf("%q, %t, %v", rest, done, err)
	}
	if _, done, err := readAnswer([]byte(good[:40])); done || err != nil {
		t.Errorf("half an answer: %t, %v", done, err)
	}
	for want, answer := range map[string]string{
		"HTTP/1.1 403 Forbidden not you": "HTTP/1.1 403 Forbidden\r\n\r\nnot you\nmore",
		"does not answer the key":        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"does not end":                   strings.Repeat("x", maxAnswer+1),
	} {
		if _, _, err := readAnswer([]byte(answer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want something about %q", answer, err, want)
		}
	}
}

func TestManyLinesLeaveFromSeveralAddresses(t *testing.T) {
	local, remote := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("10.0.0.1:1")
	if got := sourceOf(local, 0); got.IsValid() {
		t.Errorf("the first line leaves from %v", got)
	}
	if got := sourceOf(local, MaxLines-1); got != netip.MustParseAddr("127.0.0.3") {
		t.Errorf("the last line leaves from %v", got)
	}
	if got := sourceOf(remote, MaxLines-1); got.IsValid() {
		t.Errorf("a line to another machine leaves from %v", got)
	}
}
