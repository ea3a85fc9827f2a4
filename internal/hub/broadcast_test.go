package hub

import (
	"context"
	"slices"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The embedding program is asked about each channel before anything is appended, and may make another message of each.
func TestTheHookIsAskedAboutABroadcast(t *testing.T) {
	refuse := wire.ChannelName("b")
	h := openHub(t, Options{Hooks: Hooks{Publish: func(_ context.Context, _ Client, name wire.ChannelName, p *wire.Publication) error {
		if name == refuse {
			return wire.Errorf(wire.CodePermissionDenied, "not %s", name)
		}
		p.Key = string(name)
		return nil
	}}})
	by := user(t, "alice", auth.Grants{Publish: []string{"*"}})
	channels := []wire.ChannelName{"a", "b"}
	message := &wire.Publication{MessageID: "m", Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte("x")}}
	if _, err := h.BroadcastWait(t.Context(), by, channels, message); code(err) != wire.CodePermissionDenied {
		t.Errorf("got %v", err)
	}
	if stats := h.Engine().Stats(); stats.Channels != 0 {
		t.Errorf("%d channels were published to", stats.Channels)
	}
	refuse = ""
	if _, err := h.BroadcastWait(t.Context(), by, channels, message); err != nil {
		t.Fatal(err)
	}
	for _, name := range channels {
		h.Engine().Read(name, channel.Query{Limit: 2, Bytes: 1 << 20}, func(r channel.Run, err error) {
			if err != nil || len(r.Entries) != 1 || r.Entries[0].Key() != string(name) {
				t.Errorf("%s has %d messages, %v", name, len(r.Entries), err)
			}
		})
	}
	if message.Key != "" {
		t.Errorf("the message itself has the key %q", message.Key)
	}
	page, err := h.ListChannels(t.Context(), engine.ListQuery{Limit: 10})
	if err != nil || page.Total != 2 || !slices.ContainsFunc(page.Channels, func(c engine.ChannelInfo) bool { return c.Name == "b" }) {
		t.Errorf("the channels are %+v, %v", page, err)
	}
}
