// Package histogram counts durations in buckets that grow with the value, as an HDR histogram does: each power of two
// is cut into 128 equal parts, so that a quantile is off by less than one per cent, and recording is a few
// instructions and no allocation.
package histogram

import (
	"math/bits"
	"time"
)

// subBits says how finely a power of two is cut: 2^subBits parts.
const subBits = 7

const (
	subBuckets = 1 << subBits
	buckets    = (64 - subBits + 1) * subBuckets
)

// Histogram counts durations. Its zero value is empty and ready for use, by one goroutine at a time.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	sum    float64
	max    time.Duration
}

// Record counts one duration; one below zero counts as zero.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.sum += float64(d)
	h.max = max(h.max, d)
}

// Count is the number of durations recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max is the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the average; 0 when there is nothing.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.total))
}

// Quantile is the duration that a share q of all did not exceed; 0 when there is nothing.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.total)), h.total-1)
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen > rank {
			return min(time.Duration(upperBound(i)), h.max)
		}
	}
	return h.max
}

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }

// bucketOf is the bucket of a value: those below subBuckets have one each, then every power of two has subBuckets.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - subBuckets
}

// upperBound is the greatest value of a bucket.
func upperBound(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := i>>subBits - 1
	low := uint64(i&(subBuckets-1)+subBuckets) << shift
	return low + 1<<shift - 1
}
