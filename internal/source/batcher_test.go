package source_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
	"github.com/magpie-bridge/magpie/internal/source"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// scripted is a publisher that does what the test says in answer, and remembers the batches that came.
type scripted struct {
	answer func(call int, batch []wire.Publication) ([]wire.PublishResult, error)

	mu      sync.Mutex // guards the fields below
	batches [][]string // payloads
	ids     [][]string
	at      []time.Time
}

func (p *scripted) Publish(_ context.Context, _ wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error) {
	p.mu.Lock()
	var payloads, ids []string
	for _, pub := range batch {
		payloads = append(payloads, string(pub.Payload.Bytes))
		ids = append(ids, pub.MessageID)
	}
	p.batches = append(p.batches, payloads)
	p.ids = append(p.ids, ids)
	p.at = append(p.at, time.Now())
	call := len(p.batches)
	p.mu.Unlock()
	if p.answer != nil {
		return p.answer(call, batch)
	}
	return make([]wire.PublishResult, len(batch)), nil
}

func message(i int) wire.Publication {
	return wire.Publication{MessageID: fmt.Sprint("id", i), Payload: wire.Payload{Kind: wire.PayloadText, Bytes: fmt.Append(nil, i)}}
}

// start runs a batcher. end closes it and gives what Run returned.
func start(t *testing.T, p source.Publisher) (b *source.Batcher, end func() error) {
	t.Helper()
	b = source.NewBatcher(source.BatcherOptions{Publisher: p, Channel: "logs.x"})
	ended := make(chan error, 1)
	go func() { ended <- b.Run(t.Context()) }()
	return b, func() error {
		b.Close()
		return <-ended
	}
}

func add(t *testing.T, b *source.Batcher, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := b.Add(t.Context(), message(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBatchesByTimeAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{}
		b, end := start(t, p)
		begin := time.Now()
		add(t, b, 0, 3)
		time.Sleep(time.Second)
		add(t, b, 3, 3+source.MaxBatchRecords+1)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for _, batch := range p.batches {
			sizes = append(sizes, len(batch))
		}
		if fmt.Sprint(sizes) != "[3 256 1]" {
			t.Errorf("batches of %v, want [3 256 1]", sizes)
		}
		if waited := p.at[0].Sub(begin); waited != source.MaxBatchWait {
			t.Errorf("the first batch left after %v, want %v", waited, source.MaxBatchWait)
		}
		if waited := p.at[1].Sub(begin); waited != time.Second {
			t.Errorf("a full batch left after %v, want at once", waited-time.Second)
		}
		if got := b.Stats().Published; got != 260 {
			t.Errorf("%d published, want 260", got)
		}
	})
}

func TestBatchesByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{}
		b, end := start(t, p)
		big := []byte(strings.Repeat("x", 100<<10))
		for i := range 5 {
			pub := wire.Publication{MessageID: fmt.Sprint(i), Payload: wire.Payload{Bytes: big}}
			if err := b.Add(t.Context(), pub); err != nil {
				t.Fatal(err)
			}
			big[0]++ // the batcher has copied it
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, batch := range p.batches {
			for _, payload := range batch {
				got += payload[:1]
			}
			got += " "
		}
		if got != "xy z{ | " {
			t.Errorf("batches began with %q, want two messages of 100 KiB in each, as they were when added", got)
		}
	})
}

func TestRetryKeepsOrderAndIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{}
		p.answer = func(call int, batch []wire.Publication) ([]wire.PublishResult, error) {
			results := make([]wire.PublishResult, len(batch))
			switch call {
			case 1:
				return nil, errors.New("the line broke")
			case 2: // the second message is not taken, the third is
				results[1].Err = wire.Errorf(wire.CodeUnavailable, "away")
			case 3:
				results[1].Duplicate = true
			case 4:
				return nil, nil // no results: nothing is known
			}
			return results, nil
		}
		b, end := start(t, p)
		add(t, b, 0, 3)
		time.Sleep(time.Minute)
		add(t, b, 3, 4)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(p.ids), "[[id0 id1 id2] [id0 id1 id2] [id1 id2] [id3] [id3]]"; got != want {
			t.Errorf("published %s, want %s", got, want)
		}
		if pause := p.at[1].Sub(p.at[0]); pause < 25*time.Millisecond || pause > 50*time.Millisecond {
			t.Errorf("the first pause was %v, want 25 to 50 ms", pause)
		}
		if s := b.Stats(); s.Published != 4 || s.Duplicates != 1 || s.Retries != 3 || s.Refused != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{}
		p.answer = func(call int, batch []wire.Publication) ([]wire.PublishResult, error) {
			if call <= 12 {
				return nil, wire.Errorf(wire.CodePermissionDenied, "not yet") // a right can be given
			}
			return make([]wire.PublishResult, len(batch)), nil
		}
		b, end := start(t, p)
		add(t, b, 0, 1)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if len(p.at) != 13 {
			t.Fatalf("%d attempts, want 13", len(p.at))
		}
		for i := 1; i < len(p.at); i++ {
			longest := min(50*time.Millisecond<<(i-1), 5*time.Second)
			if pause := p.at[i].Sub(p.at[i-1]); pause < longest/2 || pause > longest {
				t.Errorf("pause %d was %v, want %v to %v", i, pause, longest/2, longest)
			}
		}
	})
}

func TestWhatIsRefusedIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{}
		p.answer = func(_ int, batch []wire.Publication) ([]wire.PublishResult, error) {
			for _, pub := range batch {
				if pub.MessageID == "id2" {
					return nil, wire.Errorf(wire.CodeInvalidArgument, "never")
				}
			}
			results := make([]wire.PublishResult, len(batch))
			for i, pub := range batch {
				if pub.MessageID == "id4" {
					results[i].Err = wire.Errorf(wire.CodeInvalidArgument, "never")
				}
			}
			return results, nil
		}
		b, end := start(t, p)
		add(t, b, 0, 6)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if s := b.Stats(); s.Published != 4 || s.Refused != 2 || s.Retries != 0 {
			t.Errorf("stats %+v, want 4 published and 2 refused", s)
		}
	})
}

func TestAddWaitsWhileTwoBatchesAreFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := &scripted{}
		p.answer = func(_ int, batch []wire.Publication) ([]wire.PublishResult, error) {
			<-release
			return make([]wire.PublishResult, len(batch)), nil
		}
		b, end := start(t, p)
		added := 0
		go func() {
			for i := range 10 * source.MaxBatchRecords {
				if b.Add(t.Context(), message(i)) != nil {
					return
				}
				added++
			}
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		if added != 2*source.MaxBatchRecords {
			t.Errorf("%d added while nothing is taken, want %d", added, 2*source.MaxBatchRecords)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Add(ctx, message(-1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Add to a full batcher: %v, want the context's error", err)
		}
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		next := 0
		for _, batch := range p.batches {
			for _, payload := range batch {
				if payload != fmt.Sprint(next) {
					t.Fatalf("message %s where %d should be", payload, next)
				}
				next++
			}
		}
		if next != 10*source.MaxBatchRecords {
			t.Errorf("%d messages published, want %d", next, 10*source.MaxBatchRecords)
		}
	})
}

func TestRunTellsWhatRemains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &scripted{answer: func(int, []wire.Publication) ([]wire.PublishResult, error) { return nil, errors.New("away") }}
		b := source.NewBatcher(source.BatcherOptions{Publisher: p, Channel: "logs.x"})
		add(t, b, 0, 2)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := b.Run(ctx)
		if err == nil || !strings.Contains(err.Error(), "2 records") || !strings.Contains(err.Error(), "away") {
			t.Errorf("Run ended with %v, want how many records remain, and why", err)
		}
	})
}

func TestPublicationTags(t *testing.T) {
	for _, tt := range []struct {
		record logs.Record
		want   string
	}{
		{logs.Record{}, "[]"},
		{logs.Record{Level: logs.LevelWarn}, "[{level warn}]"},
		{logs.Record{Level: logs.LevelWarn, Service: "order"}, "[{level warn} {service order}]"},
		{logs.Record{Service: strings.Repeat("x", wire.MaxPairValueBytes+1)}, "[]"},
	} {
		pub := source.Publication("id", &tt.record, []byte("{}"))
		if got := fmt.Sprint(pub.Tags); got != tt.want || pub.MessageID != "id" || pub.Payload.Kind != wire.PayloadJSON {
			t.Errorf("%+v: tags %s, want %s", pub, got, tt.want)
		}
	}
}
