package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/swarm"
	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// Run measures one scenario, stage by stage. When a stage fails, or ctx ends, the report has the stages before it.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.complete(); err != nil {
		return nil, &UsageError{err}
	}
	where, err := o.address(ctx)
	if err != nil {
		return nil, &UsageError{err}
	}
	speaks := o.speaks
	if speaks == nil {
		if speaks, err = target.New(o.Target, o.speech()); err != nil {
			return nil, &UsageError{err}
		}
	}
	report := &Report{Scenario: o.Scenario, Target: o.Target, URL: o.URL, Unit: unitOf(o.Scenario), Began: time.Now().UTC().Truncate(time.Second)}
	for _, lines := range o.Stages {
		result, err := runStage(ctx, &o, speaks, where, lines)
		if err != nil {
			return report, fmt.Errorf("%s with %d connections: %w", o.Scenario, lines, err)
		}
		report.Stages = append(report.Stages, result)
	}
	return report, nil
}

// speech is what a target has to know.
func (o *Options) speech() target.Options {
	t := target.Options{Payload: o.Payload, Token: o.Token}
	if o.Scenario == "filters" {
		t.Payload, t.Records = stampBytes, true
	}
	return t
}

// UsageError is a mistake in the options: trying again would not help.
type UsageError struct{ err error }

// Error implements error.
func (e *UsageError) Error() string { return e.err.Error() }

// Unwrap returns the mistake.
func (e *UsageError) Unwrap() error { return e.err }

func runStage(ctx context.Context, o *Options, t target.Target, where swarm.Options, lines int) (Result, error) {
	play, err := scenarioOf(o.Scenario)
	if err != nil {
		return Result{}, err
	}
	where.Halfway = o.Scenario == "handshakes"
	if o.Scenario == "mixed" {
		where.Express = min(smallReaders, lines-1) // or the tool's own queue would be measured
	}
	s, err := newStage(ctx, o, t, where, lines)
	if err != nil {
		return Result{}, err
	}
	defer s.swarm.Close()
	s.run = rand.Uint32() //nolint:gosec // tells runs apart; nothing is kept safe by it
	if err := play(s); err != nil {
		return Result{}, err
	}
	s.result.Faults = s.faults
	if s.cause != nil {
		s.result.Why = s.cause.Error()
	}
	return s.result, nil
}

// unitOf is what a scenario counts.
func unitOf(scenario string) string {
	switch scenario {
	case "echo", "call":
		return "round trips"
	case "publish":
		return "acknowledgements"
	case "connect":
		return "lines joined"
	case "storm":
		return "lines returned"
	case "handshakes":
		return "handshakes begun"
	case "idle":
		return "messages"
	default:
		return "deliveries"
	}
}
