package diskengine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine/diskengine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// faulty puts a fault between the store and its disk, for as long as the pointer holds one.
func (d *disk) faulty(ops ...errorfs.OpKind) *atomic.Pointer[error] {
	fault := new(atomic.Pointer[error])
	d.options.FS = errorfs.Wrap(d.fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		err := fault.Load()
		if err == nil {
			return nil
		}
		if slices.Contains(ops, op.Kind) {
			return *err
		}
		return nil
	}))
	return fault
}

// TestDiskFull shows that nothing is acknowledged while there is no room, that publishers are told, and that everything
// goes on when there is room again.
func TestDiskFull(t *testing.T) {
	d := newDisk()
	fault := d.faulty(errorfs.OpFileWrite, errorfs.OpCreate)
	e := d.Open(t)
	defer end(t, e)
	publish(t, e, "a", "before")
	full := error(syscall.ENOSPC)
	fault.Store(&full)
	hanging := appendAsync(e, "a", "meanwhile", "x")
	until(t, "publishers are told", func() bool {
		select {
		case a := <-appendAsync(e, "b", "x", "x"):
			return hasCode(a.err, wire.CodeUnavailable)
		default:
			return false
		}
	})
	select {
	case a := <-hanging:
		t.Fatalf("a publish to a full disk was answered: %+v", a)
	default:
	}
	fault.Store(nil)
	if a := await(t, hanging); a.err != nil || a.placed[0].Offset != 2 {
		t.Errorf("with room again it is %+v, want offset 2", a)
	}
	if at := publish(t, e, "a", "after"); at.Offset != 3 {
		t.Errorf("the next one stands at %d, want 3", at.Offset)
	}
}

// TestBrokenDisk shows that a failure to write or to sync ends the store, and neither the process nor a promise.
func TestBrokenDisk(t *testing.T) {
	for name, op := range map[string]errorfs.OpKind{"write": errorfs.OpFileWrite, "sync": errorfs.OpFileSyncData} {
		t.Run(name, func(t *testing.T) {
			d := newDisk()
			fault := d.faulty(op, errorfs.OpFileSync)
			e := d.Open(t)
			publish(t, e, "a", "before")
			log := watch(t, e, "a")
			broken := error(syscall.EIO)
			fault.Store(&broken)
			if a := await(t, appendAsync(e, "a", "lost", "x")); !hasCode(a.err, wire.CodeUnavailable) {
				t.Fatalf("a publish to a broken disk is answered %+v", a)
			}
			fault.Store(nil) // what was lost meanwhile cannot be known
			if a := await(t, appendAsync(e, "b", "1", "x")); !hasCode(a.err, wire.CodeUnavailable) {
				t.Errorf("the next one is answered %+v", a)
			}
			var m wire.Message
			if log.Tail() != 1 || !log.Read(1, &m) {
				t.Errorf("what was acknowledged before cannot be read: the tail is %d", log.Tail())
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if err := e.Close(ctx); !hasCode(err, wire.CodeUnavailable) {
				t.Errorf("Close: %v, want the reason of the failure", err)
			}
			d.options.FS = nil
			d.fs = d.fs.CrashClone(vfs.CrashCloneCfg{})
			again := d.Open(t)
			defer end(t, again)
			if log := watch(t, again, "a"); log.Tail() < 1 {
				t.Errorf("after a restart the tail is %d", log.Tail())
			}
		})
	}
}

// TestFlippedByte damages a table of the store: the damage is noticed, nothing of it is served, the reader is told what
// is missing and why, and the channel goes on.
func TestFlippedByte(t *testing.T) {
	d := newDisk()
	e := d.Open(t)
	const total = 2000
	var answers []<-chan answer
	for i := range total {
		answers = append(answers, appendAsync(e, "a", fmt.Sprint(i), strings.Repeat("x", 200)))
	}
	for _, a := range answers {
		if got := await(t, a); got.err != nil {
			t.Fatal(got.err)
		}
	}
	if err := e.(*diskengine.Engine).Flush(); err != nil {
		t.Fatal(err)
	}
	end(t, e)
	flipInTables(t, d.fs)
	e = d.Open(t)
	defer end(t, e)
	log := watch(t, e, "a")
	opening := log.Open(wire.Start{Kind: wire.StartOffset, Offset: 0})
	if opening.Gap == nil || opening.Gap.Reason != wire.GapDamage || opening.Recovered {
		t.Fatalf("a reader from the beginning is given %+v with the gap %+v", opening, opening.Gap)
	}
	var m wire.Message
	for offset := opening.Next; offset <= log.Tail(); offset++ {
		if !log.Read(offset, &m) || m.MessageID != fmt.Sprint(offset-1) {
			t.Fatalf("entry %d is message %q", offset, m.MessageID)
		}
	}
	at := publish(t, e, "a", fmt.Sprint(total))
	if at.Offset != log.Tail() {
		t.Errorf("the next one stands at %d, and the tail is %d", at.Offset, log.Tail())
	}
	served, lost := wire.Offset(0), false
	for q := (channel.Query{Limit: 500, Bytes: 1 << 20}); ; {
		run, err := read(e, "a", q)
		if err != nil {
			t.Fatalf("read from %+v: %v", q.From, err)
		}
		lost = lost || run.Gap != nil && run.Gap.Reason == wire.GapDamage
		for i := range run.Entries {
			run.Entries[i].Message(&m)
			if m.MessageID != fmt.Sprint(run.Offset(i)-1) {
				t.Fatalf("entry %d is served as message %q", run.Offset(i), m.MessageID)
			}
			served++
		}
		if !run.More {
			break
		}
		q.From = wire.Start{Kind: wire.StartOffset, Offset: run.Offset(len(run.Entries) - 1)}
	}
	if served >= total {
		t.Error("nothing was damaged")
	}
}

// flipInTables flips a byte in the middle of each table.
func flipInTables(t *testing.T, fs *vfs.MemFS) {
	t.Helper()
	files, err := fs.List("store")
	if err != nil {
		t.Fatal(err)
	}
	flipped := 0
	for _, f := range files {
		if filepath.Ext(f) != ".sst" {
			continue
		}
		data, err := fs.UnsafeGetFileDataBuffer(filepath.Join("store", f))
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/3] ^= 0x10
		flipped++
	}
	if flipped == 0 {
		t.Fatal("there is no table")
	}
}

func TestOpenErrors(t *testing.T) {
	t.Run("locked", func(t *testing.T) {
		d := newDisk()
		e := d.Open(t)
		defer end(t, e)
		if _, err := d.open(); !errors.Is(err, diskengine.ErrLocked) {
			t.Errorf("opened twice: %v", err)
		}
	})
	t.Run("not writable", func(t *testing.T) {
		d := newDisk()
		fault := d.faulty(errorfs.OpCreate, errorfs.OpLock)
		denied := error(syscall.EACCES)
		fault.Store(&denied)
		if _, err := d.open(); err == nil || !strings.Contains(err.Error(), "must be writable") {
			t.Errorf("in a directory that is not writable: %v", err)
		}
	})
	t.Run("full", func(t *testing.T) {
		d := newDisk()
		fault := d.faulty(errorfs.OpFileWrite, errorfs.OpCreate)
		full := error(syscall.ENOSPC)
		fault.Store(&full)
		if _, err := d.open(); err == nil || !strings.Contains(err.Error(), "room") {
			t.Errorf("on a full disk: %v", err)
		}
	})
	t.Run("newer", func(t *testing.T) {
		d := newDisk()
		e := d.Open(t)
		if err := e.(*diskengine.Engine).SetLayout("99"); err != nil {
			t.Fatal(err)
		}
		end(t, e)
		if _, err := d.open(); !errors.Is(err, diskengine.ErrNewer) {
			t.Errorf("a store of a newer version: %v", err)
		}
	})
}

// TestRetentionOnDisk shows that the disk keeps no more than the retention allows, of channels in memory and of others.
func TestRetentionOnDisk(t *testing.T) {
	d := newDisk()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	d.options.Space = channel.NewSpace(channel.NewBudget(0), func() time.Time { return time.UnixMilli(clock.Load()) })
	d.options.Retention = func(wire.ChannelName) channel.Retention {
		return channel.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}
	}
	d.options.SweepEvery = 2 * time.Millisecond
	e := d.Open(t)
	for i := range 50 {
		publish(t, e, "a", fmt.Sprint(i))
		publish(t, e, "b", fmt.Sprint(i))
	}
	records := e.(*diskengine.Engine).Records
	until(t, "ten records are left of each channel", func() bool { return records("a") == 10 && records("b") == 10 })
	epoch := watch(t, e, "a").Epoch()
	end(t, e)
	clock.Add(2 * time.Hour.Milliseconds())
	e = d.Open(t)
	defer end(t, e)
	records = e.(*diskengine.Engine).Records
	until(t, "what is too old has left channels that nobody asked for", func() bool { return records("a") == 0 && records("b") == 0 })
	if at := publish(t, e, "a", "next"); at.Offset != 51 || at.Epoch != epoch {
		t.Errorf("the empty channel goes on at %d in %s, want 51 in %s", at.Offset, at.Epoch, epoch)
	}
}

// TestNumberingOutlivesItsMessages shows that a channel that was loaded, and whose messages have all expired since, goes
// on behind them after a crash.
func TestNumberingOutlivesItsMessages(t *testing.T) {
	d := newDisk()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli())
	d.options.Space = channel.NewSpace(channel.NewBudget(0), func() time.Time { return time.UnixMilli(clock.Load()) })
	d.options.Level = levels(diskengine.Written)
	d.options.SweepEvery = 2 * time.Millisecond
	e := d.Open(t)
	for i := range 5 {
		publish(t, e, "a", fmt.Sprint(i))
	}
	end(t, e)
	e = d.Open(t)
	epoch := watch(t, e, "a").Epoch()
	clock.Add(time.Hour.Milliseconds())
	until(t, "all have expired", func() bool { return e.(*diskengine.Engine).Records("a") == 0 })
	d.Crash(t)
	e = d.Open(t)
	defer end(t, e)
	if at := publish(t, e, "a", "next"); at.Offset != 6 || at.Epoch != epoch {
		t.Errorf("it goes on at %d in %s, want 6 in %s", at.Offset, at.Epoch, epoch)
	}
}

// TestDirectoryBound shows that publishes are refused when the directory has reached its bound.
func TestDirectoryBound(t *testing.T) {
	d := newDisk()
	d.options.MaxBytes = 64 << 10
	d.options.SweepEvery = 2 * time.Millisecond
	e := d.Open(t)
	defer end(t, e)
	until(t, "a publish is refused", func() bool {
		a := await(t, appendAsync(e, "a", "", strings.Repeat("x", 1<<10)))
		return hasCode(a.err, wire.CodeResourceExhausted)
	})
}

func TestValues(t *testing.T) {
	d := newDisk()
	e := d.Open(t).(*diskengine.Engine)
	if value, err := e.Value("k"); value != nil || err != nil {
		t.Errorf("before: %q, %v", value, err)
	}
	for _, value := range []string{"one", "two"} {
		if err := e.SetValue("k", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	d.Crash(t)
	e = d.Open(t).(*diskengine.Engine)
	defer end(t, e)
	if value, err := e.Value("k"); string(value) != "two" || err != nil {
		t.Errorf("after a crash: %q, %v", value, err)
	}
}
