package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/histogram"
	"github.com/magpie-bridge/magpie/internal/bench/process"
	"github.com/magpie-bridge/magpie/internal/bench/swarm"
	"github.com/magpie-bridge/magpie/internal/bench/target"
)

const (
	// openedAtOnce is how many lines are being opened at a time where their opening is not what is measured. A listener's
	// queue holds some more than that everywhere.
	openedAtOnce = 64
	// tickInterval is how often progress is told and a point of the timeline taken.
	tickInterval = 500 * time.Millisecond
)

// stage is one number of lines under one scenario.
type stage struct {
	*crew
	ctx      context.Context //nolint:containedctx // a stage lives no longer than the call it is made in
	opts     *Options
	run      uint32 // see stamp
	lines    int
	latency  histogram.Histogram
	count    uint64 // deliveries, round trips or joins
	result   Result
	pid      int
	began    time.Duration // when the measured time began; 0 before
	used     process.Usage // until then
	reads    uint64        // until then
	ticked   time.Duration
	tickSum  uint64 // count at the last tick
	phase    string
	observer process.Observer
}

// newStage makes a stage whose lines are subscribers, and not yet opened.
func newStage(ctx context.Context, o *Options, t target.Target, where swarm.Options, lines int) (*stage, error) {
	c, err := newCrew(where, t)
	if err != nil {
		return nil, err
	}
	s := &stage{crew: c, ctx: ctx, opts: o, lines: lines, phase: "opening"}
	s.members = make([]member, lines, lines+1)
	n := o.channels(lines)
	for i := range s.members {
		s.members[i] = member{steps: []target.Kind{target.Connect, target.Subscribe}, channel: i % n}
	}
	s.result = Result{Lines: lines, Channels: n, InFlight: o.InFlight, Rate: o.Rate, PayloadBytes: o.Payload}
	s.pid = o.PID
	if s.pid == 0 && where.Address.Addr().IsLoopback() {
		s.pid, _ = s.observer.Listening(where.Address.Port())
	}
	return s, nil
}

// turn lets the lines have their events, and tells the progress.
func (s *stage) turn(wait time.Duration) error {
	if err := s.ctx.Err(); err != nil {
		return context.Cause(s.ctx)
	}
	if err := s.swarm.Turn(wait); err != nil {
		return err
	}
	now := s.swarm.Now()
	if now-s.ticked < tickInterval {
		return nil
	}
	rate := float64(s.count-s.tickSum) / (now - s.ticked).Seconds()
	if s.began != 0 {
		s.result.Timeline = append(s.result.Timeline, rate)
	}
	if s.opts.Progress != nil {
		s.opts.Progress(s.progress(now, rate))
	}
	s.ticked, s.tickSum = now, s.count
	return nil
}

func (s *stage) progress(now time.Duration, rate float64) string {
	line := fmt.Sprintf("%s, %d of %d lines, %s", s.opts.Scenario, s.joined, len(s.members), s.phase)
	if s.began != 0 {
		line = fmt.Sprintf("%s %.0f of %.0f s", line, (now - s.began).Seconds(), s.opts.Duration.Seconds())
	}
	if rate > 0 {
		line = fmt.Sprintf("%s, %.0f/s", line, rate)
	}
	if n := s.faults.Sum(); n > 0 {
		line = fmt.Sprintf("%s, %d faults", line, n)
	}
	return line
}

// openAll opens every line and waits until all have joined.
func (s *stage) openAll(p play) error {
	s.play = p
	err := s.join(openedAtOnce)
	if err != nil && s.cause != nil {
		return fmt.Errorf("%w: %w", err, s.cause)
	}
	return err
}

// join opens the lines in their order, so many at a time.
func (s *stage) join(atOnce int) error { return s.joinFrom(0, atOnce) }

// joinFrom opens the lines from the first on; those before it have joined.
func (s *stage) joinFrom(first, atOnce int) error {
	before, progressed := s.joined, s.swarm.Now()
	others := s.joined - first // that come behind them
	for next := first; s.joined < len(s.members); {
		for next < len(s.members)-others && next-(s.joined-others) < atOnce {
			if err := s.dial(next); err != nil {
				return err
			}
			next++
		}
		if err := s.turn(100 * time.Millisecond); err != nil {
			return err
		}
		now := s.swarm.Now()
		if s.joined != before {
			before, progressed = s.joined, now
		}
		if s.faults.Broken > 0 || now-progressed > defaultPatience {
			return fmt.Errorf("only %d of %d lines could be opened", s.joined, len(s.members))
		}
	}
	return nil
}

// measure runs the traffic, first unmeasured and then measured. step is called before each turn and says how long
// the turn may wait.
func (s *stage) measure(step func() (time.Duration, error)) error {
	s.phase = "warming up"
	if err := s.repeat(s.opts.Warmup, step); err != nil {
		return err
	}
	s.begin()
	err := s.repeat(s.opts.Duration, step)
	s.end()
	s.phase = "waiting for the last"
	return err
}

func (s *stage) repeat(d time.Duration, step func() (time.Duration, error)) error {
	for until := s.swarm.Now() + d; s.swarm.Now() < until; {
		wait, err := step()
		if err != nil {
			return err
		}
		if err := s.turn(min(wait, tickInterval, max(until-s.swarm.Now(), 0))); err != nil {
			return err
		}
	}
	return nil
}

// begin starts the measured time.
func (s *stage) begin() {
	s.phase = "measuring"
	s.latency.Reset()
	s.count = 0
	s.reads = s.swarm.Reads()
	s.used = s.look()
	s.began = s.swarm.Now()
	s.ticked, s.tickSum = s.began, 0
}

// end ends it and takes the figures.
func (s *stage) end() {
	elapsed := s.swarm.Now() - s.began
	used := s.look()
	s.began = 0
	s.result.Seconds = elapsed.Seconds()
	s.result.Operations = s.count
	s.result.PerSecond = float64(s.count) / elapsed.Seconds()
	if reads := s.swarm.Reads() - s.reads; reads > 0 {
		s.result.PerRead = float64(s.count) / float64(reads)
	}
	s.result.Latency = summarise(&s.latency)
	if s.pid == 0 || used == (process.Usage{}) {
		return
	}
	cpu := (used.CPU - s.used.CPU).Seconds()
	s.result.Server = &Server{PID: s.pid, CPUSeconds: cpu, ResidentBytes: used.Resident}
	if cpu > 0 && s.count > 0 {
		s.result.Server.PerCPUSecond = float64(s.count) / cpu
	}
}

// look is what the server used until now; nothing when it cannot be seen.
func (s *stage) look() process.Usage {
	if s.pid == 0 {
		return process.Usage{}
	}
	u, err := s.observer.Look(s.pid)
	if err != nil {
		s.pid = 0
		return process.Usage{}
	}
	return u
}

// rest has turns until done says so, or nothing has come for as long as it has patience.
func (s *stage) rest(done func() bool) error {
	for began := s.swarm.Now(); !done(); {
		if err := s.turn(20 * time.Millisecond); err != nil {
			return err
		}
		if s.swarm.Now()-max(s.swarm.Heard(), began) > s.opts.patience {
			return nil // what is missing is counted as lost
		}
	}
	return nil
}
