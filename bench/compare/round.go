package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// runner takes measurements.
type runner struct {
	settings
	folder string // for what the servers need
}

// measure takes all rounds of the measurements of a group, of all subjects.
func (r *runner) measure(ctx context.Context, g group) ([]tally, error) {
	tallies := make([]tally, len(g))
	for i, m := range g {
		tallies[i] = tally{measurement: m, results: make(map[string][]bench.Result), failures: make(map[string]string)}
	}
	for round := range r.rounds {
		for i := range tallies {
			if t := &tallies[i]; t.rounds == 0 || round < t.rounds {
				r.round(ctx, t, round)
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	return tallies, nil
}

// round takes one round of a measurement.
func (r *runner) round(ctx context.Context, t *tally, round int) {
	for _, x := range rotated(subjects(), round) {
		if !t.has(x.name) || ctx.Err() != nil {
			continue
		}
		if t.vary != nil && x.target == "magpie" {
			t.vary(&x)
		}
		x.tls = t.tls
		result, err := r.once(ctx, t.measurement, &x)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s, round %d, %s: %v\n", t.name, round+1, x.name, err)
			t.failures[x.name] = err.Error()
			continue
		}
		fmt.Fprintf(os.Stderr, "%s, round %d, %s: %s\n", t.name, round+1, x.name, figure(t.value(result)))
		t.results[x.name] = append(t.results[x.name], *result)
	}
}

// has reports whether a subject is measured: where nothing is said, all that are not for calls alone.
func (m *measurement) has(name string) bool {
	if m.of == nil {
		return name != grpcRelay
	}
	return slices.Contains(m.of, name)
}

// rotated begins with another one in each round.
func rotated[T any](list []T, by int) []T {
	by %= len(list)
	return slices.Concat(list[by:], list[:by])
}

// roundLimit is how long one measurement may take, with all that is before and after the measured time.
const roundLimit = time.Minute

// once starts a server, puts the load on it and stops it.
func (r *runner) once(ctx context.Context, m measurement, x *subject) (*bench.Result, error) {
	duration := max(r.duration, m.duration)
	ctx, cancel := context.WithTimeout(ctx, duration+roundLimit)
	defer cancel()
	srv, err := x.start(ctx, r.settings, r.folder)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	args := append([]string{"-c", r.client, filepath.Join(r.bin, "magpie"), "bench"}, m.args...)
	scheme := cmp.Or(x.scheme, "ws://")
	if x.tls {
		scheme = "wss://"
		args = append(args, "--ca", certificateOf(r.folder, srv.port))
	}
	args = append(args, "--target", x.target, "--url", scheme+address(srv.port)+x.path,
		"--pid", strconv.Itoa(srv.cmd.Process.Pid), "--duration", duration.String(), "--warmup", (r.duration / 5).String(), "--json")
	cmd := exec.CommandContext(ctx, "taskset", args...) //nolint:gosec // the arguments are those of this program
	token, err := x.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		cmd.Env = append(os.Environ(), "MAGPIE_TOKEN="+token)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var report bench.Report
	if decodeErr := json.Unmarshal(out, &report); decodeErr != nil || len(report.Stages) != 1 {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	result := &report.Stages[0]
	switch {
	case result.Faults.Sum() > 0:
		return nil, fmt.Errorf("faults: %+v %s", result.Faults, result.Why)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	case result.Server == nil:
		return nil, fmt.Errorf("the process of %s could not be looked at", x.name)
	}
	return result, nil
}
