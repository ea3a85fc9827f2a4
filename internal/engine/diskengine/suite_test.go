package diskengine_test

import (
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/engine/enginetest"
)

func TestEngine(t *testing.T) {
	for name, level := range map[string]diskengine.Level{
		"synced": diskengine.Synced, "written": diskengine.Written, "memory": diskengine.Memory,
	} {
		t.Run(name, func(t *testing.T) {
			open := func(t *testing.T) engine.Engine {
				d := newDisk()
				d.options.Level = levels(level)
				return d.Open(t)
			}
			enginetest.Run(t, open)
			enginetest.RunList(t, open)
			enginetest.RunAnnounce(t, open)
			enginetest.RunPolicy(t, func(t *testing.T, r enginetest.Rules) engine.Engine {
				d := newDisk()
				d.options = diskengine.Options{
					Space: channel.NewSpace(channel.NewBudget(0), r.Now), Level: levels(level),
					Retention: r.Retention, Policy: r.Policy, SweepEvery: time.Millisecond,
				}
				return d.Open(t)
			})
		})
	}
}

func TestReopen(t *testing.T) {
	for name, d := range map[string]disk{
		"a synced channel survives a loss of power":    {power: true, options: diskengine.Options{Level: levels(diskengine.Synced)}},
		"a written channel survives the process's end": {options: diskengine.Options{Level: levels(diskengine.Written)}},
	} {
		t.Run(name, func(t *testing.T) {
			enginetest.RunReopen(t, func(*testing.T) enginetest.Store {
				fresh := newDisk()
				fresh.power, fresh.options = d.power, d.options
				return fresh
			})
		})
	}
}
