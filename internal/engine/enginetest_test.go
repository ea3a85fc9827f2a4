package engine_test

import (
	"testing"
	"time"

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
	enginetest.RunPolicy(t, func(_ *testing.T, r enginetest.Rules) engine.Engine {
		return engine.NewMemory(engine.MemoryOptions{
			Space:     channel.NewSpace(channel.NewBudget(0), r.Now),
			Retention: r.Retention, Policy: r.Policy, SweepEvery: time.Millisecond,
		})
	})
}
