package api

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/session"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// figures reads what is served, by name.
func figures(t *testing.T, h http.Handler) map[string]float64 {
	t.Helper()
	got := get(t, h, "/metrics")
	if got.Code != http.StatusOK {
		t.Fatalf("status %d", got.Code)
	}
	read := make(map[string]float64)
	for line := range strings.Lines(got.Body.String()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(name, "magpie_") {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		read[name] = n
	}
	return read
}

// atOnce is a loop that does what is posted at once, on the goroutine that posts (session.Loop).
type atOnce struct{}

func (atOnce) Post(f func()) bool {
	f()
	return true
}

func (atOnce) Wake() {}

func TestMetricsMove(t *testing.T) {
	r := newRig(t, rigOptions{})
	lines := channel.NewBudget(0)
	shards := []*session.Shard{
		session.NewShard(session.Settings{Hub: r.hub, Budget: lines}, atOnce{}, 0),
		session.NewShard(session.Settings{Hub: r.hub, Budget: lines}, atOnce{}, 1),
	}
	metrics := Metrics(r.hub, shards)
	before := figures(t, metrics)

	const message = `{"channel":"order.update","messageId":"m1","data":1}`
	for _, q := range []request{
		{body: message},
		{body: message},
		{body: `{"channel":"order.update","messages":[{"data":2},{"data":3}]}`},
		{body: `{"channel":"price.update","data":1}`},
		{body: message, noKey: true},
	} {
		r.send(q)
	}
	if err := r.hub.Enter(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.hub.HistoryWait(t.Context(), &auth.Principal{UserID: "ann"}, &wire.History{Channel: "user.ann"}); err != nil {
		t.Error(err)
	}
	caller := &auth.Principal{UserID: "ann"}
	if _, _, err := r.hub.CallNow(caller, &wire.Call{Method: "magpie.echo"}); err == nil {
		t.Error("a caller without the right was served")
	}
	lines.Charge(777)
	r.hub.Metrics.CallsOpen.Add(2)
	r.hub.Metrics.Late.Add(4)
	for i, sh := range shards {
		n := int64(i + 1)
		sh.Metrics.Delivered.Add(n)
		sh.Metrics.Bytes.Add(10 * n)
		sh.Metrics.Writes.Add(100 * n)
		sh.Metrics.Gaps.Add(1000 * n)
		sh.Metrics.Subscriptions.Add(10_000 * n)
		sh.Metrics.Malformed.Add(100_000 * n)
		sh.Metrics.Late.Add(1_000_000 * n)
		sh.Metrics.Conflated.Add(10_000_000 * n)
		sh.Metrics.SlowDisconnects.Add(100_000_000 * n)
	}

	after := figures(t, metrics)
	want := map[string]float64{
		"magpie_sessions":                      1,
		"magpie_sessions_opened_total":         1,
		"magpie_auth_failures_total":           1,
		"magpie_messages_published_total":      3,
		"magpie_messages_duplicate_total":      1,
		"magpie_publish_errors_total":          1,
		"magpie_history_pages_total":           1,
		"magpie_presence_members":              0,
		"magpie_presence_users":                0,
		"magpie_calls_open":                    2,
		"magpie_calls_total":                   0,
		"magpie_call_errors_total":             1,
		"magpie_channels":                      2, // one is that whose past was asked for
		"magpie_channel_memory_limit_bytes":    64 << 20,
		"magpie_channel_chunks_relieved_total": 0,
		"magpie_channel_loads_total":           0,
		"magpie_disk_pages_total":              0,
		"magpie_disk_bytes":                    0,
		"magpie_subscriptions":                 30_000,
		"magpie_messages_delivered_total":      3,
		"magpie_sent_bytes_total":              30,
		"magpie_writes_total":                  300,
		"magpie_gaps_total":                    3000,
		"magpie_line_memory_bytes":             777,
		"magpie_malformed_frames_total":        300_000,
		"magpie_late_answers_total":            3_000_004,
		"magpie_conflated_total":               30_000_000,
		"magpie_slow_disconnects_total":        300_000_000,

		`magpie_subscription_lag_max{loop="0"}`:     0,
		`magpie_subscription_lag_max{loop="1"}`:     0,
		`magpie_subscriptions_far_behind{loop="0"}`: 0,
		`magpie_subscriptions_far_behind{loop="1"}`: 0,
	}
	if held := after["magpie_channel_memory_bytes"]; held <= before["magpie_channel_memory_bytes"] {
		t.Errorf("the channels hold %v bytes after publishing, %v before", held, before["magpie_channel_memory_bytes"])
	}
	delete(after, "magpie_channel_memory_bytes")
	if !maps.Equal(after, want) {
		t.Errorf("the figures are\n%v, want\n%v", after, want)
	}
	for name, value := range before {
		if value != 0 && name != "magpie_channel_memory_limit_bytes" && name != "magpie_channel_memory_bytes" {
			t.Errorf("%s began at %v", name, value)
		}
	}
}
