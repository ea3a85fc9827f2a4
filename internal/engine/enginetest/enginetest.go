// Package enginetest is the behaviour that every [engine.Engine] shows, as one suite of tests. An engine's own tests
// call [Run], those of one that lists its channels [RunList], of one that tells of new ones [RunAnnounce], and of one that
// outlives its process [RunReopen], and add what is particular to it.
//
//	enginetest.go  Run, and what the tests share
//	append.go      numbering, idempotency, copies
//	watch.go       logs to read, and being told of them
//	read.go        pages, in both directions
//	list.go        which channels there are
//	announce.go    those that appear
//	reopen.go      what is there again after a restart
//	together.go    many publishers and readers at once
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Run tests the engines that open returns, each of which is empty, bounded by nothing that the suite reaches, and
// closed by Run.
func Run(t *testing.T, open func(t *testing.T) engine.Engine) {
	for name, test := range map[string]func(*testing.T, engine.Engine){
		"AppendNumbersFromOne":          appendNumbersFromOne,
		"AppendAnswersEachRecord":       appendAnswersEachRecord,
		"AppendKeepsNothingOfTheCaller": appendKeepsNothingOfTheCaller,
		"ARetryGetsTheFirstPosition":    aRetryGetsTheFirstPosition,
		"ChannelsAreApart":              channelsAreApart,
		"WatchCreatesTheChannel":        watchCreatesTheChannel,
		"WatchTellsOfWhatIsAppended":    watchTellsOfWhatIsAppended,
		"UnwatchEndsIt":                 unwatchEndsIt,
		"EverythingIsReadable":          everythingIsReadable,
		"ReadsPages":                    readsPages,
		"ReadsFromEveryStart":           readsFromEveryStart,
		"ReadsByTime":                   readsByTime,
		"ReadsWithinBytes":              readsWithinBytes,
		"ReadsOfNothing":                readsOfNothing,
		"StatsCount":                    statsCount,
		"PublishersTogether":            publishersTogether,
		"RetriesTogether":               retriesTogether,
		"ReadersTogether":               readersTogether,
		"WatchesComeAndGo":              watchesComeAndGo,
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t)
			defer end(t, e)
			test(t, e)
		})
	}
}

// wait is how long anything may take before a test gives up.
const wait = 30 * time.Second

// answer is what an append was answered with.
type answer struct {
	epoch  wire.Epoch
	placed []channel.Placed
	err    error
}

// publish appends and waits for the answer, which must come once.
func publish(t *testing.T, e engine.Engine, name wire.ChannelName, records ...channel.Record) answer {
	t.Helper()
	answers := make(chan answer, 2) // a second one must not block the engine
	e.Append(name, records, func(epoch wire.Epoch, placed []channel.Placed, err error) {
		answers <- answer{epoch, append([]channel.Placed(nil), placed...), err}
	})
	select {
	case a := <-answers:
		switch {
		case len(answers) > 0:
			t.Error("an append was answered twice")
		case a.err != nil:
			if _, ok := errors.AsType[*wire.Error](a.err); !ok {
				t.Errorf("append to %s: %v is no wire.Error", name, a.err)
			}
		case len(a.placed) != len(records):
			t.Errorf("append to %s: %d records were answered with %d places", name, len(records), len(a.placed))
		}
		return a
	case <-time.After(wait):
		t.Errorf("append to %s was never answered", name)
		return answer{err: context.DeadlineExceeded}
	}
}

// must is publish where an error is a failure.
func must(t *testing.T, e engine.Engine, name wire.ChannelName, records ...channel.Record) answer {
	t.Helper()
	a := publish(t, e, name, records...)
	if a.err != nil || len(a.placed) != len(records) {
		t.Fatalf("append to %s: %+v", name, a)
	}
	return a
}

func text(payload string) channel.Record {
	return channel.Record{Publication: wire.Publication{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)}}}
}

func identified(publisher, id string) channel.Record {
	r := text(publisher + "/" + id)
	r.Publisher, r.MessageID = publisher, id
	return r
}

// watching is a channel as one reader has it.
type watching struct {
	log   *channel.Log
	watch *channel.Watch
	told  chan struct{}
}

// watch is tryWatch where an error is a failure.
func watch(t *testing.T, e engine.Engine, name wire.ChannelName) *watching {
	t.Helper()
	w, err := tryWatch(t, e, name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func tryWatch(t *testing.T, e engine.Engine, name wire.ChannelName) (*watching, error) {
	t.Helper()
	w := &watching{told: make(chan struct{}, 1)}
	w.watch = channel.NewWatch(func(*channel.Watch) {
		select {
		case w.told <- struct{}{}:
		default:
			t.Error("a watch was told twice without Clear in between")
		}
	})
	log, err := e.Watch(name, w.watch)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", name, err)
	}
	if log.Name() != name {
		return nil, fmt.Errorf("watch %s: the log is called %s", name, log.Name())
	}
	w.log = log
	return w, nil
}

// reach waits, as readers do, until the tail is at offset.
func (w *watching) reach(offset wire.Offset) error {
	deadline := time.After(wait)
	for w.log.Tail() < offset {
		select {
		case <-w.told:
			w.watch.Clear()
		case <-deadline:
			return fmt.Errorf("%s: the tail stays at %d, want %d", w.log.Name(), w.log.Tail(), offset)
		}
	}
	return nil
}
