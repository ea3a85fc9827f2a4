package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/magpie-bridge/magpie/internal/bench"
)

//go:embed page.html
var page string

// HTML writes a report as a page that needs nothing else.
func HTML(w io.Writer, r *bench.Report) error {
	t, err := template.New("report").Parse(page)
	if err != nil {
		return fmt.Errorf("the page of the report: %w", err)
	}
	type stageFaults struct {
		Lines int
		Told  string
	}
	data := struct {
		Report   *bench.Report
		Headings []string
		Rows     [][]string
		Charts   []template.HTML
		Faults   []stageFaults
		Verdict  string
	}{Report: r, Headings: headings(r), Verdict: verdict(r)}
	for i := range r.Stages {
		data.Rows = append(data.Rows, row(r, &r.Stages[i]))
		if told := faultsOf(&r.Stages[i]); told != "" {
			data.Faults = append(data.Faults, stageFaults{r.Stages[i].Lines, told})
		}
	}
	for _, c := range charts(r) {
		data.Charts = append(data.Charts, c.svg())
	}
	return t.Execute(w, data)
}

// charts are those that the report has figures for.
func charts(r *bench.Report) []*chart {
	var labels []string
	for i := range r.Stages {
		labels = append(labels, count(float64(r.Stages[i].Lines)))
	}
	bars := func(title string, of func(*bench.Result) float64, format func(float64) string) *chart {
		s := series{}
		some := false
		for i := range r.Stages {
			v := of(&r.Stages[i])
			some = some || v > 0
			s.points = append(s.points, point{float64(i), max(v, 0)})
		}
		if !some {
			return nil
		}
		return &chart{title: title, labels: labels, x: axis{name: "connections"}, y: axis{format: format}, series: []series{s}}
	}
	var list []*chart
	for _, c := range []*chart{
		bars(r.Unit+" a second", func(s *bench.Result) float64 { return s.PerSecond }, short),
		bars(r.Unit+" per second of the server's processor", perCPU, short),
		bars("memory of the server for each idle connection", perLine, size),
		distribution(r),
		percentiles(r),
		timeline(r),
	} {
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}

func perCPU(s *bench.Result) float64 {
	if s.Server == nil {
		return 0
	}
	return s.Server.PerCPUSecond
}

func perLine(s *bench.Result) float64 {
	if s.Server == nil {
		return 0
	}
	return s.Server.BytesPerLine
}

// distribution draws how long the slowest of ten, of a hundred, of a thousand took.
func distribution(r *bench.Report) *chart {
	c := &chart{
		title: "latency, by the share that took at most so long",
		x: axis{
			name:        "share of all",
			logarithmic: true,
			format:      func(v float64) string { return fmt.Sprintf("%.6g%%", 100*(1-1/v)) },
		},
		y: axis{logarithmic: true, format: duration},
	}
	for i := range r.Stages {
		s := series{name: count(float64(r.Stages[i].Lines)) + " connections"}
		for _, p := range r.Stages[i].Latency.Curve {
			if p.Us > 0 {
				s.points = append(s.points, point{1 / (1 - p.Share), p.Us})
			}
		}
		if len(s.points) > 0 {
			c.series = append(c.series, s)
		}
	}
	return c.ifAny()
}

// percentiles draws how the latency grows with the connections.
func percentiles(r *bench.Report) *chart {
	if len(r.Stages) < 2 {
		return nil
	}
	c := &chart{
		title: "latency, by the number of connections",
		x:     axis{name: "connections", format: short},
		y:     axis{logarithmic: true, format: duration},
	}
	for _, which := range []struct {
		name string
		of   func(*bench.Latency) float64
	}{
		{"p50", func(l *bench.Latency) float64 { return l.P50 }},
		{"p90", func(l *bench.Latency) float64 { return l.P90 }},
		{"p99", func(l *bench.Latency) float64 { return l.P99 }},
		{"p99.9", func(l *bench.Latency) float64 { return l.P999 }},
		{"max", func(l *bench.Latency) float64 { return l.Max }},
	} {
		s := series{name: which.name}
		for i := range r.Stages {
			if us := which.of(&r.Stages[i].Latency); us > 0 {
				s.points = append(s.points, point{float64(r.Stages[i].Lines), us})
			}
		}
		if len(s.points) > 0 {
			c.series = append(c.series, s)
		}
	}
	return c.ifAny()
}

// timeline draws the throughput of every half second.
func timeline(r *bench.Report) *chart {
	c := &chart{
		title: r.Unit + " a second, over time",
		x:     axis{name: "seconds", format: short},
		y:     axis{format: short},
	}
	for i := range r.Stages {
		s := series{name: count(float64(r.Stages[i].Lines)) + " connections"}
		for j, v := range r.Stages[i].Timeline {
			s.points = append(s.points, point{float64(j+1) / 2, v})
		}
		if len(s.points) > 1 {
			c.series = append(c.series, s)
		}
	}
	return c.ifAny()
}

// ifAny is the chart, or nil when it has nothing to show.
func (c *chart) ifAny() *chart {
	if len(c.series) == 0 {
		return nil
	}
	return c
}

// short is a number for an axis.
func short(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 1e6:
		return fmt.Sprintf("%.3gM", v/1e6)
	case abs >= 1e3:
		return fmt.Sprintf("%.3gk", v/1e3)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}
