package relay

import (
	"reflect"
	"testing"
)

func TestFramesComeBackAsTheyWere(t *testing.T) {
	for _, want := range []Frame{
		{},
		{Kind: Serve, Method: []byte("pricing.quote"), Concurrency: 10_000},
		{Kind: Served},
		{Kind: Call, ID: 1 << 60, Method: []byte("m"), Data: make([]byte, 300)},
		{Kind: Reply, ID: 127, Data: []byte("x")},
	} {
		packed := want.Append([]byte("before"))[len("before"):]
		if len(packed) != want.Size() {
			t.Errorf("%+v: %d bytes, said to be %d", want, len(packed), want.Size())
		}
		var got Frame
		if err := got.Parse(packed); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
		for cut := range packed {
			if err := got.Parse(packed[:cut]); err == nil && reflect.DeepEqual(got, want) {
				t.Errorf("%+v: the first %d of %d bytes are as good as all", want, cut, len(packed))
			}
		}
	}
}

func TestFramesThatAreNone(t *testing.T) {
	for _, b := range []string{"\xff", "\x08", "\x2a\x05ab", "\x0d\x00\x00\x00\x00"} {
		if err := new(Frame).Parse([]byte(b)); err == nil {
			t.Errorf("%q was taken for a frame", b)
		}
	}
}
