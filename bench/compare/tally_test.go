package main

import (
	"context"
	"crypto/tls"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

func rounds(values ...float64) (list []bench.Result) {
	for _, v := range values {
		list = append(list, bench.Result{PerSecond: v, Server: &bench.Server{PerCPUSecond: v}})
	}
	return list
}

func TestMedianAndSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3, 1, 2}, spread{2, 1, 3}},
		{[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
		{[]float64{7}, spread{7, 7, 7}},
	} {
		x := tally{results: map[string][]bench.Result{"a": rounds(test.values...)}}
		if got := x.of("a", perCPU); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.values, got, test.want)
		}
	}
	x := tally{}
	if got := x.of("a", perCPU); !math.IsNaN(got.median) || got.String() != "-" {
		t.Errorf("without rounds: %v", got)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 12.34: "12.3", 999: "999", 1234: "1.23k", 23456: "23.5k", 345678: "346k", 4567890: "4.57M", math.NaN(): "-", math.Inf(1): "-",
	} {
		if got := figure(v); got != want {
			t.Errorf("%v is shown as %s, want %s", v, got, want)
		}
	}
}

func TestOrderRotates(t *testing.T) {
	first := make(map[int]int)
	for round := range 8 {
		first[rotated([]int{1, 2, 3, 4}, round)[0]]++
	}
	for who, times := range first {
		if times != 2 {
			t.Errorf("%d was first %d times in 8 rounds, want 2", who, times)
		}
	}
}

func TestPage(t *testing.T) {
	p := page{
		settings: settings{rounds: 3, duration: time.Second, server: "0", client: "1", bin: t.TempDir()},
		subjects: subjects(),
		tallies: []tally{{
			measurement: plan()[0][0],
			results:     map[string][]bench.Result{"Magpie": rounds(200, 210, 190), "NATS": rounds(100), "limit": rounds(250)},
			failures:    map[string]string{"Socket.IO": "it does not listen"},
		}},
	}
	var b strings.Builder
	if err := p.write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| fan-out 1 x 1,000, 1 in flight (deliveries) | 200 | - | 100 | - | 250 | 2.00 | 0.80 | - |",
		"| 200 (190 to 210) |",
		"taskset -c 1 magpie bench fanout --connections 1000 --in-flight 1 --duration 1s",
		"- fan-out 1 x 1,000, 1 in flight, Socket.IO: 0 of 3 rounds counted; otherwise: it does not listen",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
}

func TestPageOfCalls(t *testing.T) {
	p := page{
		settings: settings{rounds: 1, duration: time.Second, client: "1", bin: t.TempDir()},
		subjects: subjects(),
		tallies: []tally{{
			measurement: called()[0],
			results:     map[string][]bench.Result{magpie: rounds(300), nats: rounds(100), grpcRelay: rounds(200, 400, 150)},
		}},
	}
	var b strings.Builder
	if err := p.write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| Magpie | 300 (300 to 300) | 300 | 0 | 0 | 1.00 |\n",
		"| NATS | 100 (100 to 100) | 100 | 0 | 0 | 3.00 |\n",
		"| gRPC relay | 200 (150 to 400) | 200 | 0 | 0 | 1.50 |\n",
		"magpie bench call --connections 1000 --in-flight 10 --servers 10 --duration 1s   # and --target nats, grpc",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "## Spread") {
		t.Error("a page of calls alone has the tables of the rest")
	}
}

func TestPageOfFilters(t *testing.T) {
	result := bench.Result{Seconds: 2, Published: 100_000, PerSecond: 700, Server: &bench.Server{CPUSeconds: 1, CPUMicrosPerMessage: 10, ResidentBytes: 3 << 20}}
	p := page{
		settings: settings{rounds: 1, duration: time.Second, client: "1", bin: t.TempDir()},
		subjects: subjects(),
		tallies:  []tally{{measurement: filtered()[3], results: map[string][]bench.Result{magpie: {result}}}},
	}
	var b strings.Builder
	if err := p.write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| viewers: 1,000, filters: 20, 50,000 a second | 50.0k (50.0k to 50.0k) | 700 | 10 (10 to 10) | 50 % | 0 | 0 (0 to 0) | 3 |\n",
		"magpie bench filters --viewers 1000 --filters 20 --rate 50000 --duration 1s\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, b.String())
		}
	}
}

func TestWhoIsMeasured(t *testing.T) {
	for _, m := range slices.Concat(plan()...) {
		for _, name := range m.of {
			if !slices.ContainsFunc(subjects(), func(x subject) bool { return x.name == name }) {
				t.Errorf("%s is of %s, which there is not", m.name, name)
			}
		}
		if m.has(grpcRelay) != (m.section == sectionCalls) || !m.has(magpie) {
			t.Errorf("%s: the gRPC relay is measured with calls and with nothing else, and Magpie always", m.name)
		}
	}
}

func TestAPartDoesNotTakeThePlaceOfThePage(t *testing.T) {
	for args, want := range map[string]string{"": "bench/RESULTS.md", "--only calls": "-", "--only calls --out x.md": "x.md"} {
		if got := readSettings(strings.Fields(args)).out; got != want {
			t.Errorf("%q writes %s, want %s", args, got, want)
		}
	}
}

func TestServersOverTLS(t *testing.T) {
	folder := t.TempDir()
	for _, x := range subjects() {
		if x.name != magpie && x.name != nats {
			continue
		}
		x.tls = true
		command, err := x.command(&x, settings{bin: "bin"}, folder, 4433)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(command, func(arg string) bool { return strings.HasPrefix(arg, folder) })
		text, err := os.ReadFile(command[at])
		if err != nil || !strings.Contains(string(text), certificateOf(folder, 4433)) {
			t.Errorf("%s is started with %q, %v", x.name, text, err)
		}
		key := filepath.Join(filepath.Dir(certificateOf(folder, 4433)), "key.pem")
		if _, err := tls.LoadX509KeyPair(certificateOf(folder, 4433), key); err != nil {
			t.Error(err)
		}
	}
}
