package api

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/session"
)

// Metrics serves the figures of a node, and of its Go runtime, in the format of Prometheus. They are read where they
// are counted when they are asked for; counting costs one atomic addition. others are served with them.
func Metrics(h *hub.Hub, shards []*session.Shard, others ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	registry.MustRegister(newLagCollector(shards))
	registry.MustRegister(others...)
	for _, f := range hubFigures(h) {
		f.register(registry)
	}
	for _, f := range shardFigures(shards) {
		f.register(registry)
	}
	registerKeeper(registry, shards)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// figure is one metric and how it is read.
type figure struct {
	name, help string
	counter    bool // only ever grows
	read       func() int64
}

func (f figure) register(r prometheus.Registerer) {
	read := func() float64 { return float64(f.read()) }
	if f.counter {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: f.name, Help: f.help}, read))
		return
	}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: f.name, Help: f.help}, read))
}

func hubFigures(h *hub.Hub) []figure {
	m := &h.Metrics
	return []figure{
		{"magpie_sessions", "Sessions connected now.", false, m.Sessions.Load},
		{"magpie_sessions_opened_total", "Sessions since the start.", true, m.SessionsOpened.Load},
		{"magpie_auth_failures_total", "Credentials that were refused.", true, m.AuthFailures.Load},
		{"magpie_messages_published_total", "Messages appended to channels.", true, m.Published.Load},
		{"magpie_messages_duplicate_total", "Messages that were published again and recognised.", true, m.Duplicates.Load},
		{"magpie_publish_errors_total", "Publishes that were refused or failed.", true, m.PublishErrors.Load},
		{"magpie_history_pages_total", "Pages of history answered.", true, m.Pages.Load},
		{"magpie_presence_members", "Members of channels that have presence, counted in each channel.", false, func() int64 { return int64(h.WhoIsHere().Members) }},
		{"magpie_presence_users", "Users online, where it is told.", false, func() int64 { return int64(h.WhoIsHere().Users) }},
		{"magpie_calls_open", "Calls under way.", false, m.CallsOpen.Load},
		{"magpie_calls_total", "Calls answered.", true, m.Calls.Load},
		{"magpie_call_errors_total", "Calls that failed.", true, m.CallErrors.Load},
		{"magpie_channels", "Channels in memory.", false, func() int64 { return int64(h.Engine().Stats().Channels) }},
		{"magpie_channel_memory_bytes", "Memory charged to the channels' budget.", false, func() int64 { return h.Engine().Stats().MemoryBytes }},
		{"magpie_channel_memory_limit_bytes", "The channels' budget.", false, func() int64 { return h.Engine().Stats().MemoryLimit }},
		{"magpie_channel_chunks_relieved_total", "Chunks dropped early because the budget was spent.", true, func() int64 { return h.Engine().Stats().Relieved }},
		{"magpie_channel_loads_total", "Channels brought back from disk.", true, func() int64 { return h.Engine().Stats().Loads }},
		{"magpie_disk_pages_total", "Pages read from disk for subscriptions that are behind what memory holds.", true, func() int64 { return h.Engine().Stats().Pages }},
		{"magpie_disk_bytes", "Size of the store on disk.", false, func() int64 { return h.Engine().Stats().DiskBytes }},
	}
}

func shardFigures(shards []*session.Shard) []figure {
	sum := func(read func(*session.ShardMetrics) int64) func() int64 {
		return func() (n int64) {
			for _, sh := range shards {
				n += read(&sh.Metrics)
			}
			return n
		}
	}
	late := func() int64 {
		n := sum(func(m *session.ShardMetrics) int64 { return m.Late.Load() })()
		if len(shards) > 0 {
			n += shards[0].Settings().Hub.Metrics.Late.Load() // it is the same for all
		}
		return n
	}
	waiting := func() int64 {
		if len(shards) == 0 {
			return 0
		}
		return shards[0].Settings().Budget.Used() // it is the same for all
	}
	return []figure{
		{"magpie_line_memory_bytes", "Memory of what waits on lines: for clients that read slowly, and from those that are not read.", false, waiting},
		{"magpie_subscriptions", "Subscriptions open now.", false, sum(func(m *session.ShardMetrics) int64 { return m.Subscriptions.Load() })},
		{"magpie_messages_delivered_total", "Messages written to subscribers.", true, sum(func(m *session.ShardMetrics) int64 { return m.Delivered.Load() })},
		{"magpie_sent_bytes_total", "Bytes written to sessions.", true, sum(func(m *session.ShardMetrics) int64 { return m.Bytes.Load() })},
		{"magpie_writes_total", "Write calls to sessions.", true, sum(func(m *session.ShardMetrics) int64 { return m.Writes.Load() })},
		{"magpie_gaps_total", "Gaps told to subscribers.", true, sum(func(m *session.ShardMetrics) int64 { return m.Gaps.Load() })},
		{"magpie_conflated_total", "Messages skipped for slow subscribers, because newer ones of their keys followed.", true, sum(func(m *session.ShardMetrics) int64 { return m.Conflated.Load() })},
		{"magpie_slow_disconnects_total", "Sessions ended because a subscription stayed too far behind.", true, sum(func(m *session.ShardMetrics) int64 { return m.SlowDisconnects.Load() })},
		{"magpie_late_answers_total", "Answers to calls that were not open any more: of clients, and of handlers that took too long.", true, late},
		{"magpie_malformed_frames_total", "Frames that could not be understood.", true, sum(func(m *session.ShardMetrics) int64 { return m.Malformed.Load() })},
	}
}

// registerKeeper adds what there is to tell of sessions that outlive their lines, where any do.
func registerKeeper(r prometheus.Registerer, shards []*session.Shard) {
	if len(shards) == 0 || shards[0].Settings().Keeper == nil { // it is the same for all
		return
	}
	m := &shards[0].Settings().Keeper.Metrics
	figure{"magpie_sessions_kept", "Sessions without a line that can be resumed, in memory.", false, m.Kept.Load}.register(r)
	figure{"magpie_sessions_saved_total", "Sessions written to disk, each time that one was.", true, m.Saved.Load}.register(r)
	for result, count := range map[string]*atomic.Int64{
		"kept": &m.Resumed, "fenced": &m.Fenced, "loaded": &m.Loaded, "gone": &m.Gone, "refused": &m.Refused,
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "magpie_sessions_resumed_total",
			Help: "Clients that came back with a resume token. Their session was kept, fenced off on another line, or loaded " +
				"from disk; or it was gone, or the token refused, and they have a new one.",
			ConstLabels: prometheus.Labels{"result": result},
		}, func() float64 { return float64(count.Load()) }))
	}
}

// Figures are the node's own of [Metrics], by their names there.
func Figures(h *hub.Hub, shards []*session.Shard) map[string]int64 {
	all := make(map[string]int64)
	for _, f := range append(hubFigures(h), shardFigures(shards)...) {
		all[f.name] = f.read()
	}
	return all
}
