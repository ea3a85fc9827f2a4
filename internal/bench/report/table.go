// Package report shows what a run of the load tool measured: as a table, as JSON, and as a page with charts.
//
//	table.go  for a terminal, and as JSON for programs
//	html.go   for people: one file, nothing loaded from elsewhere
//	chart.go  SVG
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// JSON writes a report as one object.
func JSON(w io.Writer, r *bench.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Table writes a report as a table, a line for each stage, and what is wrong below it.
func Table(w io.Writer, r *bench.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(headings(r), "\t")+"\t")
	for i := range r.Stages {
		fmt.Fprintln(t, strings.Join(row(r, &r.Stages[i]), "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Stages {
		if err := tellFaults(w, &r.Stages[i]); err != nil {
			return err
		}
	}
	if r.Faults() > 0 {
		return nil
	}
	_, err := fmt.Fprintln(w, verdict(r))
	return err
}

// verdict says what was checked when nothing was wrong.
func verdict(r *bench.Report) string {
	switch r.Scenario {
	case "idle", "connect":
		return "No line broke, and nothing was refused."
	case "call":
		return "Every call was answered once, by a server that it came to once, and with what it asked."
	case "filters":
		return "Everybody got what their filter lets through, once and in order, and nothing else."
	case "storm":
		return "Everybody came back; no message was lost, came twice or out of order."
	default:
		return "No message was lost, came twice or out of order."
	}
}

// headings are those of the columns, the same for the table and for the page.
func headings(r *bench.Report) []string {
	names := []string{
		"connections", "channels", r.Unit, "per second", "per CPU s", "p50", "p90", "p99", "p99.9", "max", "CPU s", "memory", "per line", "errors",
	}
	if filtered(r) {
		names = append(names, "filters", "published per second", "CPU per message")
	}
	return names
}

// filtered reports whether the figures of filters are to be told.
func filtered(r *bench.Report) bool { return r.Scenario == "filters" }

func row(r *bench.Report, s *bench.Result) []string {
	l := s.Latency
	cells := []string{count(float64(s.Lines)), count(float64(s.Channels)), count(float64(s.Operations)), count(s.PerSecond), "-"}
	for _, us := range []float64{l.P50, l.P90, l.P99, l.P999, l.Max} {
		cells = append(cells, duration(us))
	}
	cpu, memory, line := "-", "-", "-"
	if s.Server != nil {
		cpu, memory = fmt.Sprintf("%.2f", s.Server.CPUSeconds), size(float64(s.Server.ResidentBytes))
		if s.Server.PerCPUSecond > 0 {
			cells[4] = count(s.Server.PerCPUSecond)
		}
		if s.Server.BytesPerLine != 0 {
			line = size(s.Server.BytesPerLine)
		}
	}
	cells = append(cells, cpu, memory, line, count(float64(s.Faults.Sum())))
	if !filtered(r) {
		return cells
	}
	each := "-"
	if s.Server != nil {
		each = duration(s.Server.CPUMicrosPerMessage)
	}
	return append(cells, count(float64(s.Filters)), count(float64(s.Published)/s.Seconds), each)
}

// tellFaults writes what went wrong in a stage, in a sentence.
func tellFaults(w io.Writer, s *bench.Result) error {
	told := faultsOf(s)
	if told == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "With %d connections: %s\n", s.Lines, told)
	return err
}

func faultsOf(s *bench.Result) string {
	f := s.Faults
	var parts []string
	for _, kind := range []struct {
		n    uint64
		what string
	}{
		{f.Lost, "lost"},
		{f.Duplicated, "duplicated"},
		{f.Reordered, "out of order"},
		{f.Misplaced, "with an offset that does not follow"},
		{f.Crossed, "crossed with others"},
		{f.Unreadable, "not of this run"},
		{f.Refused, "refused by the server"},
		{f.Broken, "broken lines"},
	} {
		if kind.n > 0 {
			parts = append(parts, strconv.FormatUint(kind.n, 10)+" "+kind.what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if s.Told > 0 {
		parts[0] += " (" + strconv.FormatUint(s.Told, 10) + " of them told by gaps)" // what is told was lost
	}
	told := strings.Join(parts, ", ")
	if s.Why != "" {
		told += ": " + s.Why
	}
	return told
}

// count is a number with its thousands apart.
func count(n float64) string {
	digits := strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// duration is a time given in microseconds, in three figures.
func duration(us float64) string {
	if us == 0 {
		return "-"
	}
	d := time.Duration(us * float64(time.Microsecond))
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.3g ms", us/1000)
	default:
		return fmt.Sprintf("%.3g us", us)
	}
}

// size is a number of bytes.
func size(bytes float64) string {
	const kib, mib = 1 << 10, 1 << 20
	switch {
	case math.Abs(bytes) >= mib:
		return fmt.Sprintf("%.1f MiB", bytes/mib)
	case math.Abs(bytes) >= kib:
		return fmt.Sprintf("%.1f KiB", bytes/kib)
	default:
		return fmt.Sprintf("%.0f B", bytes)
	}
}
