package slogsource_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/source/slogsource"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// gateway is a publisher that remembers, and logs what it does, as a gateway might.
type gateway struct {
	logger *slog.Logger

	mu     sync.Mutex // guards the fields below
	failed bool
	calls  int
	ids    map[string]bool
	data   []string
	tags   []wire.Pairs
}

func (g *gateway) Publish(_ context.Context, channel wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	if g.logger != nil {
		g.logger.Info("published", "channel", channel, "messages", len(batch))
	}
	if g.failed {
		return nil, errors.New("not now")
	}
	for _, pub := range batch {
		if g.ids[pub.MessageID] {
			return nil, errors.New("the id was used before")
		}
		g.ids[pub.MessageID] = true
		g.data = append(g.data, string(pub.Payload.Bytes))
		g.tags = append(g.tags, pub.Tags)
	}
	return make([]wire.PublishResult, len(batch)), nil
}

func (g *gateway) messages() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var messages []string
	for _, data := range g.data {
		var record struct{ Message string }
		if json.Unmarshal([]byte(data), &record) != nil {
			record.Message = "not JSON: " + data
		}
		messages = append(messages, record.Message)
	}
	return messages
}

// settle lets the bubble's clock run until every batch was sent.
func settle() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func newGateway() *gateway { return &gateway{ids: map[string]bool{}} }

func TestRecordsArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var printed bytes.Buffer
		s := slogsource.New(slogsource.Options{Next: slog.NewTextHandler(&printed, nil), Channel: "logs.local"})
		logger := slog.New(s).With("node", "n1")
		logger.Debug("too fine")
		logger.Warn("slow", slog.Group("peer", "id", 7), "service", "order", "traceId", "t1")
		g := newGateway()
		s.PublishTo(g)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { s.Run(ctx) })
		synctest.Wait()
		cancel()
		wg.Wait()

		if len(g.data) != 1 {
			t.Fatalf("%d records published, want 1", len(g.data))
		}
		want := `"level":"warn","service":"magpie","message":"slow","trace_id":"t1","fields":{"node":"n1","peer":{"id":7},"service":"order"}}`
		if !strings.HasSuffix(g.data[0], want) {
			t.Errorf("published %s, want it to end with %s", g.data[0], want)
		}
		if tags := g.tags[0]; len(tags) != 2 || tags[0] != (wire.Pair{Key: "level", Value: "warn"}) || tags[1] != (wire.Pair{Key: "service", Value: "magpie"}) {
			t.Errorf("tags %v", tags)
		}
		if !strings.Contains(printed.String(), "msg=slow") {
			t.Errorf("the next handler got %q", printed.String())
		}
	})
}

func TestDeliveryDoesNotFeedItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slogsource.New(slogsource.Options{Channel: "logs.local"})
		g := newGateway()
		g.logger = slog.New(s)
		s.PublishTo(g)
		go s.Run(t.Context())

		logger := slog.New(s)
		slogsource.LogDelivery(logger).Error("marked")
		slogsource.LogDelivery(logger).WithGroup("g").Error("marked, in a group")
		logger.With("channel", "logs.local").Info("its channel")
		logger.Info("its channel in a group", slog.Group("g", "channel", wire.ChannelName("logs.local")))
		logger.Info("marked itself", "source", "log-delivery")
		logger.Info("another channel", "channel", "logs.other")
		settle()
		for range 3 { // were its own record published, each publish would cause another
			logger.Info("more")
			settle()
		}
		got := strings.Join(g.messages(), ", ")
		if want := "another channel, more, more, more"; got != want {
			t.Errorf("published %q, want %q", got, want)
		}
	})
}

func TestOldestGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slogsource.New(slogsource.Options{Channel: "logs.local", Records: 3})
		logger := slog.New(s)
		for _, message := range []string{"1", "2", "3", "4", "5"} {
			logger.Info("numbered", "n", message)
		}
		g := newGateway()
		s.PublishTo(g)
		go s.Run(t.Context())
		settle()
		got := g.messages()
		if len(got) != 4 || !strings.HasPrefix(got[0], "2 records of this log are missing") {
			t.Fatalf("published %q, want a notice of 2 and then three records", got)
		}
		for i, data := range g.data[1:] {
			if want := fmt.Sprintf(`"fields":{"n":"%d"}`, i+3); !strings.Contains(data, want) {
				t.Errorf("published %s, want %s in it", data, want)
			}
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slogsource.New(slogsource.Options{Channel: "logs.local"})
		logger := slog.New(s)
		for range 200 {
			logger.Info("long", "text", strings.Repeat("x", 50_000))
		}
		g := newGateway()
		s.PublishTo(g)
		go s.Run(t.Context())
		settle()
		if n := len(g.messages()); n < 60 || n > 90 {
			t.Errorf("%d records of 50 kB were kept, want those of about 4 MiB", n)
		}
	})
}

func TestRunEndsWhilePublishingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slogsource.New(slogsource.Options{Channel: "logs.local"})
		slog.New(s).Info("never published")
		g := newGateway()
		g.failed = true
		s.PublishTo(g)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		settle()
		cancel()
		<-ended // synctest fails if it never comes
		if g.calls < 2 {
			t.Errorf("%d attempts, want more than one", g.calls)
		}
	})
}

// The handler keeps the rules of slog for those behind it.
func TestHandler(t *testing.T) {
	var buf bytes.Buffer
	s := slogsource.New(slogsource.Options{Next: slog.NewJSONHandler(&buf, nil), Channel: "logs.local"})
	err := slogtest.TestHandler(s, func() (results []map[string]any) {
		for line := range bytes.Lines(buf.Bytes()) {
			var m map[string]any
			if err := json.Unmarshal(line, &m); err != nil {
				t.Fatal(err)
			}
			results = append(results, m)
		}
		return results
	})
	if err != nil {
		t.Error(err)
	}
}
