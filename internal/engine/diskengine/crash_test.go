package diskengine_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestPowerLossEndsWrittenNumberings shows the difference between the levels: what was only written is lost with the
// power, and because its numbers will be given again, they are given under another epoch.
func TestPowerLossEndsWrittenNumberings(t *testing.T) {
	d := newDisk()
	d.options.Level = func(name wire.ChannelName) diskengine.Level {
		return map[wire.ChannelName]diskengine.Level{"s": diskengine.Synced, "w": diskengine.Written, "m": diskengine.Memory}[name]
	}
	e := d.Open(t)
	first := map[wire.ChannelName]wire.Position{}
	for _, name := range []wire.ChannelName{"s", "w", "m"} {
		first[name] = publish(t, e, name, "1")
	}
	for i := range 50 { // the first is synced with the note of its epoch; these are not
		publish(t, e, "w", fmt.Sprint("w", i))
	}
	d.losePower(t)
	e = d.Open(t)
	if log := watch(t, e, "s"); log.Epoch() != first["s"].Epoch || log.Tail() != 1 {
		t.Errorf("the synced channel has tail %d in %s, want 1 in %s", log.Tail(), log.Epoch(), first["s"].Epoch)
	}
	w := watch(t, e, "w")
	if w.Epoch() == first["w"].Epoch {
		t.Error("the written channel may have lost numbers, and keeps its epoch")
	}
	if w.Tail() >= 51 {
		t.Errorf("the disk of this test loses nothing: the tail is %d", w.Tail())
	}
	if log := watch(t, e, "m"); log.Epoch() == first["m"].Epoch || log.Tail() != 0 {
		t.Errorf("the memory channel has tail %d in the epoch it had: %t", log.Tail(), log.Epoch() == first["m"].Epoch)
	}
	epoch := w.Epoch()
	d.Crash(t)
	e = d.Open(t)
	defer end(t, e)
	if log := watch(t, e, "w"); log.Epoch() != epoch {
		t.Error("the new epoch is not kept: a start in the same run of the machine made another")
	}
}

// TestRebootAfterClose shows that an orderly end keeps the epoch of written channels over a restart of the machine.
func TestRebootAfterClose(t *testing.T) {
	d := newDisk()
	d.options.Level = levels(diskengine.Written)
	e := d.Open(t)
	publish(t, e, "w", "1")
	before := publish(t, e, "w", "2")
	end(t, e)
	d.fs, d.boot = d.fs.CrashClone(vfs.CrashCloneCfg{}), "second"
	e = d.Open(t)
	defer end(t, e)
	if log := watch(t, e, "w"); log.Epoch() != before.Epoch || log.Tail() != before.Offset {
		t.Errorf("reopened: tail %d in %s, want %d in %s", log.Tail(), log.Epoch(), before.Offset, before.Epoch)
	}
}

// TestCrashes loses power at random moments of many publishes, with any part of what was not synced: what was
// acknowledged by a synced channel is there, in the order and at the places that were told.
func TestCrashes(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			d := newDisk()
			d.options.Level = func(name wire.ChannelName) diskengine.Level {
				if name[0] == 'w' {
					return diskengine.Written
				}
				return diskengine.Synced
			}
			acknowledged := map[wire.ChannelName][]string{}
			epochs := map[wire.ChannelName]wire.Epoch{}
			for round := range 4 {
				e := d.Open(t)
				checkAcknowledged(t, e, acknowledged, epochs)
				for i := range 20 + rng.IntN(60) {
					name := wire.ChannelName(fmt.Sprint([]string{"s", "w"}[rng.IntN(2)], rng.IntN(3)))
					id := fmt.Sprint(round, ".", i)
					at := publish(t, e, name, id)
					if name[0] != 's' {
						continue
					}
					acknowledged[name] = append(acknowledged[name], id)
					epochs[name] = at.Epoch
					if int(at.Offset) != len(acknowledged[name]) {
						t.Fatalf("%s: message %d got offset %d", name, len(acknowledged[name]), at.Offset)
					}
				}
				d.clone(t, vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
				d.boot = fmt.Sprint("boot ", round)
			}
		})
	}
}

func checkAcknowledged(t *testing.T, e engine.Engine, acknowledged map[wire.ChannelName][]string, epochs map[wire.ChannelName]wire.Epoch) {
	t.Helper()
	var m wire.Message
	for name, ids := range acknowledged {
		page, err := read(e, name, channel.Query{Limit: len(ids) + 1, Bytes: 1 << 30})
		if err != nil || len(page.Entries) != len(ids) || page.Epoch != epochs[name] {
			t.Fatalf("%s: %d entries in %s, want %d in %s: %v", name, len(page.Entries), page.Epoch, len(ids), epochs[name], err)
		}
		for i, id := range ids {
			if page.Entries[i].Message(&m); m.MessageID != id {
				t.Fatalf("%s %d is message %s, want %s", name, i+1, m.MessageID, id)
			}
		}
	}
}

// TestTornTail cuts the last log file short. After a loss of power that is what becomes of messages that were only written:
// what is before the cut is served, under another epoch. While the machine went on it is damage, and is told.
func TestTornTail(t *testing.T) {
	for name, rebooted := range map[string]bool{"after a loss of power": true, "with the machine up": false} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			d.options.Level = levels(diskengine.Written)
			e := d.Open(t)
			const total = 30
			var epoch wire.Epoch
			for i := range total {
				epoch = publish(t, e, "a", fmt.Sprint(i)).Epoch
			}
			d.Crash(t)
			name, size := lastLog(t, d.fs)
			data, err := d.fs.UnsafeGetFileDataBuffer(name)
			if err != nil {
				t.Fatal(err)
			}
			clear(data[size-40:])
			if !rebooted {
				if _, err := d.open(); err == nil || !strings.Contains(err.Error(), "damaged") {
					t.Errorf("opening says %v", err)
				}
				return
			}
			d.boot += "+"
			e = d.Open(t)
			defer end(t, e)
			log := watch(t, e, "a")
			if tail := log.Tail(); tail == 0 || tail >= total || log.Epoch() == epoch {
				t.Fatalf("of %d messages %d are left, in epoch %s after %s", total, tail, log.Epoch(), epoch)
			}
			if at := publish(t, e, "a", "more"); at.Offset != log.Tail() {
				t.Errorf("the next one stands at %d, and the tail is %d", at.Offset, log.Tail())
			}
		})
	}
}

// TestFlippedByteInTheLog flips a byte of the log that a killed process leaves, at many places: wherever it is, either the
// store is not opened, and says why, or every message is there, or a gap is told.
func TestFlippedByteInTheLog(t *testing.T) {
	const total, places = 200, 40
	for place := range places {
		d := newDisk()
		e := d.Open(t)
		var epoch wire.Epoch
		for i := range total {
			epoch = publish(t, e, "a", fmt.Sprint(i)).Epoch
		}
		d.Crash(t)
		name, size := lastLog(t, d.fs)
		data, err := d.fs.UnsafeGetFileDataBuffer(name)
		if err != nil {
			t.Fatal(err)
		}
		data[int64(place)*size/places] ^= 0x10
		again, err := d.open()
		if err != nil {
			if !strings.Contains(err.Error(), "damaged") {
				t.Errorf("place %d: opening says %v", place, err)
			}
			continue
		}
		d.current = again
		log := watch(t, again, "a")
		if log.Epoch() == epoch && (log.Tail() != total || log.Head() != 1) {
			t.Errorf("place %d: of %d messages there are %d to %d, and nothing says so", place, total, log.Head(), log.Tail())
		}
		end(t, again)
	}
}

// lastLog finds the newest log file of the store.
func lastLog(t *testing.T, fs vfs.FS) (name string, size int64) {
	t.Helper()
	files, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Ext(f) != ".log" || f < filepath.Base(name) && name != "" {
			continue
		}
		name = filepath.Join("store", f)
		info, err := fs.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size = info.Size()
	}
	return name, size
}

// TestManyChannels shows that opening a store loads no channel, that asking for one loads one, and that it leaves
// memory again when nobody uses it.
func TestManyChannels(t *testing.T) {
	const channels, some = 2000, 10
	d := newDisk()
	e := d.Open(t)
	var answers []<-chan answer
	for i := range channels {
		answers = append(answers, appendAsync(e, wire.ChannelName(fmt.Sprint("c", i)), "1", "x"))
	}
	for _, a := range answers {
		if got := await(t, a); got.err != nil {
			t.Fatal(got.err)
		}
	}
	end(t, e)
	d.options.SweepEvery, d.options.IdleAfter = 5*time.Millisecond, 20*time.Millisecond
	e = d.Open(t)
	defer end(t, e)
	if stats := e.Stats(); stats.Loads != 0 || stats.Channels != 0 {
		t.Errorf("opening the store loaded %d channels and has %d in memory", stats.Loads, stats.Channels)
	}
	for i := range some {
		if at := publish(t, e, wire.ChannelName(fmt.Sprint("c", i)), "2"); at.Offset != 2 {
			t.Errorf("channel %d goes on at %d", i, at.Offset)
		}
	}
	if loads := e.Stats().Loads; loads != some {
		t.Errorf("%d channels were asked for, and %d loaded", some, loads)
	}
	until(t, "the idle channels have left memory", func() bool { return e.Stats().Channels == 0 })
	if at := publish(t, e, "c0", "3"); at.Offset != 3 {
		t.Errorf("loaded again, the channel goes on at %d", at.Offset)
	}
}

// TestPrepare shows that a channel is fetched without keeping anybody waiting.
func TestPrepare(t *testing.T) {
	d := newDisk()
	e := d.Open(t)
	publish(t, e, "a", "1")
	end(t, e)
	e = d.Open(t)
	defer end(t, e)
	ready := make(chan struct{})
	prepare := e.(engine.Preparer).Prepare
	if prepare("a", func() { close(ready) }) {
		close(ready) // the disk was faster than this test
	}
	select {
	case <-ready:
	case <-time.After(wait):
		t.Fatal("it was never ready")
	}
	if !prepare("a", func() { t.Error("called, although it was there") }) {
		t.Error("it was not there the second time")
	}
	if log := watch(t, e, "a"); log.Tail() != 1 || e.Stats().Loads != 1 {
		t.Errorf("the tail is %d after %d loads", log.Tail(), e.Stats().Loads)
	}
}
