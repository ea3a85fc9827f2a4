package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

func sample() *bench.Report {
	r := &bench.Report{Scenario: "fanout", Target: "magpie", URL: "ws://<host>/", Unit: "deliveries", Began: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)}
	for i, lines := range []int{50, 1000} {
		r.Stages = append(r.Stages, bench.Result{
			Lines:      lines,
			Channels:   1,
			Seconds:    2,
			Operations: 2_469_134,
			PerSecond:  1234567 * float64(i+1),
			Latency: bench.Latency{
				P50: 80, P90: 900, P99: 1500, P999: 2.5e6, Max: 3e6,
				Curve: []bench.Point{{Share: 0, Us: 10}, {Share: 0.9, Us: 900}, {Share: 0.99, Us: 1500}},
			},
			Server:   &bench.Server{PID: 7, CPUSeconds: 1.5, PerCPUSecond: 823045, ResidentBytes: 5 << 20},
			Timeline: []float64{1e6, 1.5e6, 1.2e6},
		})
	}
	return r
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, sample()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	want := []string{"50", "1", "2,469,134", "1,234,567", "823,045", "80 us", "900 us", "1.5 ms", "2.5 s", "3 s", "1.50", "5.0 MiB", "-", "0"}
	if got := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(lines[1]), -1); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !strings.Contains(lines[3], "No message was lost") {
		t.Errorf("the verdict is %q", lines[3])
	}
}

func TestFiguresOfFilters(t *testing.T) {
	r := sample()
	r.Scenario = "filters"
	for i := range r.Stages {
		r.Stages[i].Filters, r.Stages[i].Published, r.Stages[i].Server.CPUMicrosPerMessage = 20, 100_000, 15
	}
	r.Stages[1].Faults, r.Stages[1].Told = bench.Faults{Lost: 3}, 2
	var b bytes.Buffer
	if err := Table(&b, r); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	cells := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(lines[1]), -1)
	if got := cells[len(cells)-3:]; !reflect.DeepEqual(got, []string{"20", "50,000", "15 us"}) {
		t.Errorf("%q", got)
	}
	if want := "3 lost (2 of them told by gaps)"; !strings.Contains(b.String(), want) {
		t.Errorf("no %q in %s", want, b.String())
	}
}

func TestFaultsAreTold(t *testing.T) {
	r := sample()
	r.Stages[1].Faults = bench.Faults{Lost: 3, Broken: 1}
	r.Stages[1].Why = "the server closed the line: 1001 <b>"
	const want = "With 1000 connections: 3 lost, 1 broken lines: the server closed the line: 1001 "
	var table, page bytes.Buffer
	if err := Table(&table, r); err != nil {
		t.Fatal(err)
	}
	if err := HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), want+"<b>") || strings.Contains(table.String(), "No message was lost") {
		t.Errorf("the table says %s", table.String())
	}
	if !strings.Contains(page.String(), want+"&lt;b&gt;") || strings.Contains(page.String(), "No message was lost") {
		t.Error("the page does not say what went wrong, or not escaped")
	}
}

func TestPageStandsByItself(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, sample()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, loads := range []string{"src=", "href=", "url(", "@import", "<script", "<link"} {
		if strings.Contains(page, loads) {
			t.Errorf("the page has %q", loads)
		}
	}
	if strings.Contains(page, "<host>") {
		t.Error("the address is not escaped")
	}
	drawings := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1)
	if len(drawings) != 5 {
		t.Errorf("%d charts, want throughput, processor, distribution, percentiles and timeline", len(drawings))
	}
	for _, svg := range drawings {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a place that is none in %s", svg)
		}
	}
}

// A stage without figures, as idle has them, must not break a chart.
func TestEmptyStages(t *testing.T) {
	r := &bench.Report{Scenario: "idle", Stages: []bench.Result{{Lines: 1}}}
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<svg") {
		t.Error("a chart of nothing")
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var back bench.Report
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, sample()) {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestScales(t *testing.T) {
	s := scale{from: 3, to: 420, start: 0, end: 100, logarithmic: true}.rounded()
	if s.at(1) != 0 || s.at(1000) != 100 || s.at(0) != 0 {
		t.Errorf("from %v to %v", s.from, s.to)
	}
	if marks := (axis{}).choose(s); len(marks) != 4 {
		t.Errorf("marks %v", marks)
	}
	linear := scale{from: 5, to: 100, start: 100, end: 0}.rounded()
	if linear.at(0) != 100 {
		t.Errorf("zero is at %v", linear.at(0))
	}
	if marks := (axis{}).choose(linear); len(marks) < 3 || len(marks) > 12 {
		t.Errorf("marks %v", marks)
	}
}
