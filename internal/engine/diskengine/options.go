package diskengine

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Level is what an acknowledged message survives.
type Level uint8

// The levels, from the safest. The zero value is the default.
const (
	Synced  Level = iota // a loss of power
	Written              // the end of the process, however sudden
	Memory               // nothing
)

// Options configure an [Engine]. Space and Dir are required.
type Options struct {
	Space *channel.Space
	// Dir is the directory of the store alone. It is made when it is not there.
	Dir string
	// Retention says what a channel keeps, by its name; nil means channel.DefaultRetention for all.
	Retention func(wire.ChannelName) channel.Retention
	// Level says how safe a channel's messages are; nil means Synced for all.
	Level func(wire.ChannelName) Level
	// Policy says how long a channel lives, by its name; nil means for ever. What it says may change.
	Policy func(wire.ChannelName) engine.Policy
	// MaxBytes bounds the directory; 0 means no bound.
	MaxBytes int64
	// SweepEvery is the time between two rounds of retention. 0 means 5 s.
	SweepEvery time.Duration
	// IdleAfter is how long a channel that nobody uses stays in memory. 0 means 2 min.
	IdleAfter time.Duration
	// Logger hears what goes wrong with the store. Nil: nobody hears.
	Logger *slog.Logger

	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// BootID tells one run of the machine from the next; empty means to ask the kernel.
	BootID string
}

func (o *Options) complete() {
	if o.Retention == nil {
		o.Retention = func(wire.ChannelName) channel.Retention { return channel.DefaultRetention() }
	}
	if o.Level == nil {
		o.Level = func(wire.ChannelName) Level { return Synced }
	}
	if o.Policy == nil {
		o.Policy = engine.Plain
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = 5 * time.Second
	}
	if o.IdleAfter == 0 {
		o.IdleAfter = 2 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.BootID == "" {
		o.BootID = bootID()
	}
}

const (
	// groupRequests and groupBytes bound one round of the committer, so that the first of many waits for few.
	groupRequests = 4096
	groupBytes    = 4 << 20
	// queueBytes is what may wait for the committer: some rounds of it. Beyond that a publisher is faster than the disk.
	queueBytes = 32 << 20
	// workers load channels and read pages. The disk is one, so few are enough to keep it busy.
	workers = 4
	// fetchers is how many of them may fetch pages for cursors, so that one is left for loading channels.
	fetchers = workers - 1
	// maxPagesBytes bounds the entries of the pages in memory, and pagesShare does as a part of the budget: their encodings
	// and indexes come to about twice as much again.
	maxPagesBytes = 64 << 20
	pagesShare    = 16
	// warmBytes is what a channel that is loaded has in memory at first.
	warmBytes = 1 << 20
	// readQueue is how many reads may wait for a worker.
	readQueue = 1024
	// sweepIdle is how many channels that are not loaded one round of retention looks at.
	sweepIdle = 4096
	// forgetAfter is how long the numbering of an empty channel is remembered.
	forgetAfter = 30 * 24 * time.Hour
	// roomAgain is the part of MaxBytes below which publishes are taken again.
	roomAgain = 0.9
	// memTableBytes is Pebble's table in memory, and so about the size of a log file; cacheBytes is for reading pages.
	memTableBytes = 16 << 20
	cacheBytes    = 16 << 20
)
