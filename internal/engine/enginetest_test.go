package engine_test

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/enginetest"
)

func TestMemory(t *testing.T) {
	open := func(*testing.T) engine.Engine {
		return engine.NewMemory(engine.MemoryOptions{Space: channel.NewSpace(channel.NewBudget(0), nil)})
	}
	enginetest.Run(t, open)
	enginetest.RunList(t, open)
	enginetest.RunAnnounce(t, open)
}
