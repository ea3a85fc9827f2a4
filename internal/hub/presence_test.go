package hub

import (
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/hub/presence"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The right is the same for pages, and for the channels that tell; a right to subscribe does not stand for it.
func TestMaySeePresence(t *testing.T) {
	memory := engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(0), nil)})
	here := presence.New(presence.Options{
		Engine: memory, Online: true,
		Covers: func(name wire.ChannelName) bool { return !strings.HasPrefix(string(name), "quiet.") },
	})
	h := openHub(t, Options{Engine: memory, Presence: here})
	t.Cleanup(func() {
		h.Close()
		if err := memory.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	p := user(t, "alice", auth.Grants{Subscribe: []string{">", "sys.>"}, Presence: []string{"room.*", "quiet.*", "user.bob", strings.Repeat("a", 250)}})
	for name, want := range map[wire.ChannelName]wire.Code{
		"room.7":             "",
		"user.bob":           "",
		"other":              wire.CodePermissionDenied,
		"quiet.7":            wire.CodeFailedPrecondition,
		"sys.members.room.7": wire.CodePermissionDenied,
		"room..7":            wire.CodeInvalidArgument,
		wire.ChannelName(strings.Repeat("a", 250)): wire.CodeFailedPrecondition,
	} {
		if _, err := h.MembersWait(t.Context(), p, &wire.Presence{Channel: name}); code(err) != want {
			t.Errorf("the members of %s: %v, want %q", name, err, want)
		}
		if len(name) < 200 {
			if err := h.MaySubscribe(p, "sys.members."+name); code(err) != want {
				t.Errorf("to follow the members of %s: %v, want %q", name, err, want)
			}
		}
	}
	for name, want := range map[wire.ChannelName]wire.Code{
		"sys.online.alice": "", "sys.online.bob": "", "sys.online.eve": wire.CodePermissionDenied, "sys.other": "",
	} {
		if err := h.MaySubscribe(p, name); code(err) != want {
			t.Errorf("to follow %s: %v, want %q", name, err, want)
		}
	}
	if err := openHub(t, Options{}).MaySubscribe(p, "sys.online.bob"); code(err) != wire.CodeFailedPrecondition {
		t.Errorf("where it is not told who is online: %v", err)
	}
	h.Close()
	if _, err := h.MembersWait(t.Context(), p, &wire.Presence{Channel: "room.7"}); code(err) != wire.CodeUnavailable {
		t.Errorf("after the end: %v", err)
	}
}
