package bench

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestReaderCountsWhatHappened(t *testing.T) {
	for _, test := range []struct {
		name      string
		sequence  []uint64
		published uint64
		want      Faults
	}{
		{"in order", []uint64{1, 2, 3}, 3, Faults{}},
		{"one lost", []uint64{1, 3}, 3, Faults{Lost: 1}},
		{"the first lost", []uint64{2}, 2, Faults{Lost: 1}},
		{"the last lost", []uint64{1}, 3, Faults{Lost: 2}},
		{"nothing came", nil, 5, Faults{Lost: 5}},
		{"twice", []uint64{1, 1, 2, 1}, 2, Faults{Duplicated: 2}},
		{"late", []uint64{1, 3, 2}, 3, Faults{Reordered: 1}},
		{"late and twice", []uint64{1, 3, 2, 2}, 3, Faults{Reordered: 1, Duplicated: 1}},
		{"late, of two lost", []uint64{1, 4, 2}, 4, Faults{Lost: 1, Reordered: 1}},
		{"a jump beyond memory", []uint64{1, 200}, 200, Faults{Lost: 198}},
		{"late at the edge of memory", []uint64{64, 1}, 64, Faults{Lost: 62, Reordered: 1}},
	} {
		var r reader
		var f Faults
		for _, n := range test.sequence {
			r.take(n, 0, &f)
		}
		r.finish(test.published, &f)
		if f != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, f, test.want)
		}
	}
}

func TestStampIsReadBack(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	payload := bytes.Repeat([]byte{'x'}, stampBytes+1)
	for range 1000 {
		want := stamp{random.Uint32(), random.Uint32(), random.Uint32(), random.Uint64(), random.Uint64()}
		want.put(payload)
		if got, ok := readStamp(payload, want.run); !ok || got != want {
			t.Fatalf("%+v, %t; want %+v", got, ok, want)
		}
		if _, ok := readStamp(payload, want.run+1); ok {
			t.Fatal("the stamp of another run was taken")
		}
		if i := bytes.IndexFunc(payload, func(r rune) bool { return r < 'a' || r > 'x' }); i >= 0 {
			t.Fatalf("%q would be escaped somewhere", payload)
		}
	}
	if _, ok := readStamp(payload[:stampBytes-1], 0); ok {
		t.Error("half a stamp was taken")
	}
}

func BenchmarkReadStamp(b *testing.B) {
	payload := make([]byte, stampBytes)
	stamp{run: 1, sequence: 1 << 40}.put(payload)
	for b.Loop() {
		if _, ok := readStamp(payload, 1); !ok {
			b.Fatal("not read")
		}
	}
}
