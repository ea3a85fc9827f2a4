//go:build !race

package wire_test

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The race detector makes a pool forget at random, so these are not measured with it.

func TestAppendAllocatesNothing(t *testing.T) {
	m, f := entry(), publication()
	buf := make([]byte, 0, 1024)
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		if n := testing.AllocsPerRun(1000, func() { buf = c.AppendMessage(buf[:0], m) }); n != 0 {
			t.Errorf("%v: AppendMessage allocates %v times", c, n)
		}
		onStack := func() {
			local := wire.Message{Channel: "a", Offset: 1, Payload: m.Payload}
			buf = c.AppendMessage(buf[:0], &local)
		}
		if n := testing.AllocsPerRun(1000, onStack); n != 0 {
			t.Errorf("%v: AppendMessage sends its message to the heap: %v allocations", c, n)
		}
		if n := testing.AllocsPerRun(1000, func() { buf = c.Append(buf[:0], f) }); n != 0 {
			t.Errorf("%v: Append allocates %v times", c, n)
		}
	}
}

func TestDecodeAllocatesOnce(t *testing.T) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		input := c.Append(nil, publication())
		var d wire.Decoder
		var f wire.Frame
		decode := func() {
			if err := d.Decode(c, input, &f); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(1000, decode); n > 1 {
			t.Errorf("%v: Decode of a publish allocates %v times, want once for all its strings", c, n)
		}
	}
}
