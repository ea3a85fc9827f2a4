package bench

import (
	"math"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/histogram"
)

// Report is what a run measured.
type Report struct {
	Scenario string    `json:"scenario"`
	Target   string    `json:"target"`
	URL      string    `json:"url"`
	Unit     string    `json:"unit"` // what Operations counts
	Began    time.Time `json:"began"`
	Stages   []Result  `json:"stages"`
}

// Faults is the number of faults of all stages.
func (r *Report) Faults() (sum uint64) {
	for i := range r.Stages {
		sum += r.Stages[i].Faults.Sum()
	}
	return sum
}

// Result is what one stage measured.
type Result struct {
	Lines        int       `json:"lines"`
	Channels     int       `json:"channels"`
	InFlight     int       `json:"inFlight"`
	Servers      int       `json:"servers,omitempty"`   // lines that answer the calls of the others
	Filters      int       `json:"filters,omitempty"`   // different ones in use
	Rate         float64   `json:"rate,omitempty"`      // messages a second that were asked for
	Published    uint64    `json:"published,omitempty"` // messages, as far as they were acknowledged, for filters
	Told         uint64    `json:"told,omitempty"`      // of those lost, for filters: the server said that it could not deliver them
	PayloadBytes int       `json:"payloadBytes"`
	Seconds      float64   `json:"seconds"`
	Operations   uint64    `json:"operations"`
	PerSecond    float64   `json:"perSecond"`
	PerRead      float64   `json:"perRead,omitempty"` // messages that came together, on average
	Latency      Latency   `json:"latency"`
	Faults       Faults    `json:"faults"`
	Why          string    `json:"why,omitempty"` // the first fault, in words
	Server       *Server   `json:"server,omitempty"`
	Timeline     []float64 `json:"timeline,omitempty"` // operations a second, every half second
}

// Server is what the server used, where it could be seen.
type Server struct {
	PID           int     `json:"pid"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	PerCPUSecond  float64 `json:"perCpuSecond,omitempty"` // operations per second of processor time
	ResidentBytes int64   `json:"residentBytes"`
	// CPUMicrosPerMessage is the processor time for each message published, all its deliveries included.
	CPUMicrosPerMessage float64 `json:"cpuUsPerMessage,omitempty"`

	BytesPerLine float64 `json:"bytesPerLine,omitempty"` // memory of its own, for each idle line

	// KernelBytesPerLine is how much more the kernel has in slabs and socket buffers, both ends of the line together
	// where they are on one machine.
	KernelBytesPerLine float64 `json:"kernelBytesPerLine,omitempty"`
}

// Latency sums up durations, in microseconds.
type Latency struct {
	Mean  float64 `json:"meanUs"`
	P50   float64 `json:"p50Us"`
	P90   float64 `json:"p90Us"`
	P99   float64 `json:"p99Us"`
	P999  float64 `json:"p999Us"`
	Max   float64 `json:"maxUs"`
	Curve []Point `json:"curve,omitempty"` // the distribution, for a chart
}

// Point says that a share of all durations was at most so long.
type Point struct {
	Share float64 `json:"share"`
	Us    float64 `json:"us"`
}

func summarise(h *histogram.Histogram) Latency {
	l := Latency{
		Mean: micros(h.Mean()),
		P50:  micros(h.Quantile(0.5)),
		P90:  micros(h.Quantile(0.9)),
		P99:  micros(h.Quantile(0.99)),
		P999: micros(h.Quantile(0.999)),
		Max:  micros(h.Max()),
	}
	// The rarer, the denser: from one in one to one in ten thousand, as far as there are so many.
	const most, perDecade = 4, 8
	for i := range most*perDecade + 1 {
		rest := math.Pow(10, -float64(i)/perDecade)
		if rest*float64(h.Count()) < 1 {
			break
		}
		l.Curve = append(l.Curve, Point{Share: 1 - rest, Us: micros(h.Quantile(1 - rest))})
	}
	return l
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
