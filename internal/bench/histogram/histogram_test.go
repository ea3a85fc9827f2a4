package histogram

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinOnePerCent(t *testing.T) {
	var h Histogram
	random := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(random.ExpFloat64() * float64(3*time.Millisecond))
		all = append(all, d)
		h.Record(d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.1, 0.5, 0.9, 0.99, 0.999} {
		want := all[int(q*float64(len(all)))]
		if got := h.Quantile(q); got < want || float64(got) > float64(want)*1.01 {
			t.Errorf("quantile %v: %v, want %v or up to 1%% more", q, got, want)
		}
	}
	if got, want := h.Quantile(1), all[len(all)-1]; got != want || h.Max() != want {
		t.Errorf("the longest: %v and %v, want %v", got, h.Max(), want)
	}
	if h.Count() != 20_000 {
		t.Errorf("%d recorded", h.Count())
	}
}

func TestEveryValueIsInItsBucket(t *testing.T) {
	for shift := range 63 {
		for _, v := range []uint64{1 << shift, 1<<shift + 1, 1<<shift - 1, 1<<shift | 1<<shift>>1} {
			i := bucketOf(v)
			if v > upperBound(i) || i > 0 && v <= upperBound(i-1) {
				t.Errorf("%d is in bucket %d, which ends at %d", v, i, upperBound(i))
			}
		}
	}
}

func TestEmpty(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("nothing recorded, and yet a figure")
	}
	h.Record(-time.Second)
	h.Record(2)
	if h.Mean() != 1 || h.Quantile(0.4) != 0 {
		t.Errorf("mean %v, median %v", h.Mean(), h.Quantile(0.4))
	}
	h.Reset()
	if h.Count() != 0 || h.Max() != 0 {
		t.Error("something is left after Reset")
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	for i := 0; b.Loop(); i++ {
		h.Record(time.Duration(i))
	}
}
