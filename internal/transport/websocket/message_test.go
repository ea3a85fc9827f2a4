package websocket

import (
	"bytes"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// assemble passes frames through an assembler until a message is complete or refused.
func assemble(a *assembler, frames ...header) func(payloads ...string) (string, *refusal) {
	return func(payloads ...string) (string, *refusal) {
		for i, h := range frames {
			h.length = len(payloads[i])
			if bad := a.admit(h, 1000); bad != nil {
				return "", bad
			}
			m, done, bad := a.add(h, []byte(payloads[i]))
			if bad != nil || done {
				return string(m.content), bad
			}
		}
		return "", nil
	}
}

var (
	begin  = header{opcode: opText}
	middle = header{opcode: opContinuation}
	last   = header{opcode: opContinuation, fin: true}
	single = header{opcode: opText, fin: true}
)

func TestFragmentsBecomeOneMessage(t *testing.T) {
	var a assembler
	for range 2 { // the second finds nothing left of the first
		if got, bad := assemble(&a, begin, middle, middle, last)("a", "", "b", "c"); got != "abc" || bad != nil {
			t.Errorf("%q, %v", got, bad)
		}
		if got, bad := assemble(&a, single)("d"); got != "d" || bad != nil {
			t.Errorf("%q, %v", got, bad)
		}
	}
}

func TestTextCutAtEveryByte(t *testing.T) {
	const text = "aé€𝄞\x00\uFFFD\U0010FFFF"
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			var a assembler
			if got, bad := assemble(&a, begin, middle, last)(text[:i], text[i:j], text[j:]); got != text || bad != nil {
				t.Errorf("cut at %d and %d: %q, %v", i, j, got, bad)
			}
		}
	}
}

func TestBadTextIsRefusedWhereverItIsCut(t *testing.T) {
	for _, text := range []string{
		"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "\xfe", "\xe2\x82", "\xf0\x9d\x84", "\xc3", "\xe2\x28\xa1",
	} {
		text := "ok" + text
		for i := range len(text) + 1 {
			var a assembler
			_, bad := assemble(&a, begin, last)(text[:i], text[i:])
			if bad == nil || bad.code != wire.CloseInvalidPayload {
				t.Errorf("%q cut at %d: %v", text, i, bad)
			}
		}
		var a assembler
		if _, bad := assemble(&a, single)(text); bad == nil || bad.code != wire.CloseInvalidPayload {
			t.Errorf("%q whole: %v", text, bad)
		}
	}
}

func TestBadTextIsRefusedBeforeTheMessageEnds(t *testing.T) {
	var a assembler
	if _, bad := assemble(&a, begin, middle)("\xf4", "\x90"); bad == nil {
		t.Error("what no byte can make good was waited for")
	}
}

// A frame that trickles in is refused with the byte that cannot be made good, and not when it is complete.
func TestBadTextIsRefusedWithinAFrame(t *testing.T) {
	const good = "aé€𝄞"
	for _, bad := range []string{"\x80", "\xc0", "\xe0\x80", "\xed\xa0", "\xf0\x80", "\xf4\x90", "\xf8", "\xc3\x28"} {
		text := good + bad
		for carried := range len(text) {
			var a assembler
			first, rest := text[:carried], []byte(text[carried:]+"more")
			if _, refused := assemble(&a, begin)(first); refused != nil {
				continue // in the fragment before, and that is tested elsewhere
			}
			for i := range rest {
				rest[i] ^= testKey[i%4]
			}
			h := header{opcode: opContinuation, length: len(rest), key: testKey}
			for n := range len(rest) {
				refused := a.peek(h, rest[:n]) != nil
				if want := carried+n >= len(text); refused != want {
					t.Fatalf("%q, %d bytes of it in the fragment before, %d in this: refused %v", text, carried, n, refused)
				}
				if refused {
					break
				}
			}
		}
	}
}

func TestOnlyTextIsPeekedAt(t *testing.T) {
	var a assembler
	for _, h := range []header{{opcode: opBinary}, {opcode: opText, packed: true}, {opcode: opPing}} {
		if bad := a.peek(h, []byte("\xff")); bad != nil {
			t.Errorf("%+v was refused", h)
		}
	}
}

func TestBinaryMessageNeedsNoText(t *testing.T) {
	var a assembler
	if got, bad := assemble(&a, header{opcode: opBinary}, last)("\xff", "\xfe"); got != "\xff\xfe" || bad != nil {
		t.Errorf("%q, %v", got, bad)
	}
}

func TestMessageLimits(t *testing.T) {
	var a assembler
	if got, bad := assemble(&a, begin, last)(string(make([]byte, 400)), string(make([]byte, 600))); len(got) != 1000 || bad != nil {
		t.Errorf("as large as allowed: %d bytes, %v", len(got), bad)
	}
	if _, bad := assemble(&a, begin, last)(string(make([]byte, 400)), string(make([]byte, 601))); bad == nil || bad.code != wire.CloseTooBig {
		t.Errorf("larger than allowed: %v", bad)
	}
	a = assembler{}
	frames := append([]header{begin}, repeated(middle, maxFragments-2)...)
	if _, bad := assemble(&a, append(frames, last)...)(make([]string, maxFragments)...); bad != nil {
		t.Errorf("as many fragments as allowed: %v", bad)
	}
	a = assembler{}
	if _, bad := assemble(&a, append(frames, middle, last)...)(make([]string, maxFragments+1)...); bad == nil || bad.code != wire.CloseTooBig {
		t.Errorf("more fragments than allowed: %v", bad)
	}
}

// A larger limit of a message allows more fragments, as long as they carry something.
func TestFragmentsGrowWithTheLimit(t *testing.T) {
	const limit = 1 << 20
	a := assembler{}
	for n := range 2 * limit / fragmentBytes {
		h := middle
		if n == 0 {
			h = begin
		}
		if bad := a.admit(h, limit); bad != nil {
			if want := limit / fragmentBytes; n != want || bad.code != wire.CloseTooBig {
				t.Errorf("%d fragments were taken, then %v; want %d", n, bad, want)
			}
			return
		}
		if _, _, bad := a.add(h, nil); bad != nil {
			t.Fatal(bad)
		}
	}
	t.Error("fragments were taken without end")
}

func repeated[T any](x T, n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = x
	}
	return list
}

func TestReadClose(t *testing.T) {
	for code := range 1 << 16 {
		c := wire.CloseCode(code)
		mayBeSent := c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
		got, bad := readClose([]byte(closing(c, "because")))
		switch {
		case mayBeSent && (bad != nil || got != c):
			t.Errorf("code %d: %d, %v", c, got, bad)
		case !mayBeSent && (bad == nil || bad.code != wire.CloseProtocolError):
			t.Errorf("code %d: %v", c, bad)
		}
	}
	if got, bad := readClose(nil); got != wire.CloseNormal || bad != nil {
		t.Errorf("without a code: %d, %v", got, bad)
	}
}

func TestAppendControl(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), maxControlPayload)
	op, got, rest := readServerFrame(t, appendControl(nil, opPong, payload))
	if op != opPong || !bytes.Equal(got, payload) || len(rest) > 0 {
		t.Errorf("opcode %d, %q, %q", op, got, rest)
	}
}
