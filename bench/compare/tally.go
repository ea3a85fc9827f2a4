package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// tally is what the rounds of a measurement gave, by subject.
type tally struct {
	measurement
	results  map[string][]bench.Result
	failures map[string]string // the last, in words
}

// spread is a median with the least and the greatest of its rounds. Without rounds all are NaN.
type spread struct{ median, least, most float64 }

// of sums up one figure of a subject's rounds.
func (t *tally) of(subject string, value func(*bench.Result) float64) spread {
	results := t.results[subject]
	if len(results) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	var values []float64
	for i := range results {
		values = append(values, value(&results[i]))
	}
	slices.Sort(values)
	n := len(values)
	return spread{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// ratio says how many times as much a subject reaches as another; NaN when it cannot be said.
func (t *tally) ratio(subject, other string) float64 {
	return t.of(subject, t.value).median / t.of(other, t.value).median
}

// figure is a number in three figures.
func figure(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "-"
	case abs >= 1e6:
		return fmt.Sprintf("%.2fM", v/1e6)
	case abs >= 1e5:
		return fmt.Sprintf("%.0fk", v/1e3)
	case abs >= 1e4:
		return fmt.Sprintf("%.1fk", v/1e3)
	case abs >= 1e3:
		return fmt.Sprintf("%.2fk", v/1e3)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

func (s spread) String() string {
	if math.IsNaN(s.median) {
		return "-"
	}
	return fmt.Sprintf("%s (%s to %s)", figure(s.median), figure(s.least), figure(s.most))
}
