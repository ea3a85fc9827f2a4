package presence

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	roomName wire.ChannelName = "room.7"
	roomLog  wire.ChannelName = "sys.members.room.7"
)

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\ngot  %q\nwant %q", what, got, want)
	}
}

func TestJoinAndLeave(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		alice := user1("alice").OnDevice("phone")
		r.node.Enter(roomName, Entrance{Session: "s1", Who: alice, At: at(1), Info: []byte(`{"name":"Alice"}`)})
		pass(0)
		joined := time.Now().UnixMilli()
		pass(time.Minute)
		if n := r.Size(); n != (Size{Channels: 1, Members: 1}) {
			t.Errorf("here are %+v", n)
		}
		r.node.Leave(roomName, "s1", at(1))
		pass(grace - 1)
		same(t, "in the time of grace", r.told(roomLog), []string{"join s1"})
		if page := r.page(wire.Presence{Channel: roomName}); page.Count != 1 {
			t.Errorf("in the time of grace the page says %d", page.Count)
		}
		pass(1)
		got := r.behind(roomLog, 0)
		want := []message{
			{offset: 1, Event: "join", UserID: "alice", SessionID: "s1", Device: "phone", NodeID: "n1", Timestamp: joined, Info: []byte(`{"name":"Alice"}`)},
			{offset: 2, Event: "leave", UserID: "alice", SessionID: "s1", Device: "phone", NodeID: "n1", Timestamp: time.Now().UnixMilli()},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("told\ngot  %+v\nwant %+v", got, want)
		}
		if left := r.Size(); left != (Size{}) {
			t.Errorf("%+v is kept though nobody is here", left)
		}
	})
}

// A session that comes back in time, from wherever, has not been away: also when its old line ends after the new one began.
func TestComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		enter := func(slot uint32) {
			r.node.Enter(roomName, Entrance{Session: "s1", Who: user1("alice"), At: at(slot)})
		}
		enter(1)
		r.node.Leave(roomName, "s1", at(1))
		pass(grace - 1)
		enter(2)
		pass(time.Minute)
		enter(3)
		r.node.Leave(roomName, "s1", at(2))
		pass(time.Minute)
		same(t, "told", r.told(roomLog), []string{"join s1"})
		r.node.Leave(roomName, "s1", at(3))
		pass(grace)
		enter(4)
		pass(0)
		same(t, "told", r.told(roomLog), []string{"join s1", "leave s1", "join s1"})
	})
}

func TestNewInfoIsToldAsAJoin(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for _, info := range []string{`{"a":1}`, `{"a":1}`, ``, `{"a":2}`} {
			r.node.Enter(roomName, Entrance{Session: "s1", Who: user1("alice"), At: at(1), Info: []byte(info)})
			pass(0)
		}
		told := r.behind(roomLog, 0)
		if len(told) != 2 || string(told[1].Info) != `{"a":2}` || told[1].Event != "join" {
			t.Errorf("told %+v", told)
		}
		if page := r.page(wire.Presence{Channel: roomName}); page.Count != 1 || string(page.Members[0].Info) != `{"a":2}` {
			t.Errorf("the page says %+v", page)
		}
	})
}

// What the engine does not take is told as soon as it does, and as it is by then.
func TestEngineAway(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.engine.fails.Store(true)
		for i, id := range []wire.SessionID{"s1", "s2"} {
			r.node.Enter(roomName, Entrance{Session: id, Who: user1("alice"), At: at(uint32(i))})
		}
		pass(time.Minute)
		r.node.Leave(roomName, "s1", at(0))
		pass(time.Minute)
		if page := r.page(wire.Presence{Channel: roomName}); page.Count != 0 || len(page.Members) != 0 {
			t.Errorf("what nobody was told of is on a page: %+v", page)
		}
		r.engine.fails.Store(false)
		pass(time.Minute)
		same(t, "told", r.told(roomLog), []string{"join s2"})
	})
}

func TestPages(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for i := range 250 {
			id := wire.SessionID(fmt.Sprintf("s%03d", (i*97)%250))
			r.node.Enter(roomName, Entrance{Session: id, Who: user1("alice"), At: at(uint32(i))})
		}
		pass(0)
		var ids []wire.SessionID
		sizes := []int{}
		for q := (wire.Presence{Channel: roomName}); ; {
			page := r.page(q)
			if page.Count != 250 || page.Position.Offset != 250 {
				t.Fatalf("a page as of %v counts %d", page.Position, page.Count)
			}
			sizes = append(sizes, len(page.Members))
			for _, m := range page.Members {
				ids = append(ids, m.SessionID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if len(ids) != 250 || !slices.IsSorted(ids) || !slices.Equal(sizes, []int{100, 100, 50}) {
			t.Errorf("pages of %v with %d members, sorted %v", sizes, len(ids), slices.IsSorted(ids))
		}
	})
}

// A page is bounded in bytes too.
func TestPageOfLargeMembers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		info := []byte(`"` + string(make([]byte, 1000)) + `"`)
		for i := range info[1:1001] {
			info[1+i] = 'x'
		}
		for i := range 400 {
			r.node.Enter(roomName, Entrance{Session: wire.SessionID(fmt.Sprintf("s%03d", i)), Who: user1("alice"), At: at(1), Info: info})
		}
		pass(0)
		page := r.page(wire.Presence{Channel: roomName, Limit: 1000})
		size := len(wire.JSON.Append(nil, &wire.Frame{Body: page}))
		if size > 200<<10 || page.Next == "" || len(page.Members) < 100 {
			t.Errorf("a page of %d members has %d bytes, and %q comes next", len(page.Members), size, page.Next)
		}
	})
}

// Above 1,000 members one message a second tells of all, and names at most 100 of each kind.
func TestLargeChannel(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		enter := func(i int) {
			r.node.Enter(roomName, Entrance{Session: wire.SessionID(fmt.Sprintf("s%05d", i)), Who: user1("alice"), At: at(uint32(i))})
		}
		for i := range Large {
			enter(i)
		}
		pass(0)
		before := r.behind(roomLog, 0)
		if len(before) != Large {
			t.Fatalf("%d messages tell of %d members", len(before), Large)
		}
		enter(Large)
		pass(time.Second)
		for i := Large + 1; i < 3*Large; i++ {
			enter(i)
			pass(time.Millisecond)
		}
		for i := range 150 {
			r.node.Leave(roomName, wire.SessionID(fmt.Sprintf("s%05d", i)), at(uint32(i)))
		}
		pass(grace + 2*time.Second)
		told := r.behind(roomLog, before[len(before)-1].offset)
		if n := len(told); n < 4 || n > 6 {
			t.Errorf("%d messages tell of what has happened in some seconds", n)
		}
		last := told[len(told)-1]
		if last.Event != "count" || last.Count != 3*Large-150 || len(last.Joined) != 0 || len(last.Left) != 100 {
			t.Errorf("the last says %+v", last)
		}
		if page := r.page(wire.Presence{Channel: roomName}); page.Count != int64(last.Count) || page.Position.Offset != last.offset {
			t.Errorf("the page counts %d as of %v", page.Count, page.Position)
		}
	})
}

// Whoever comes and goes between two messages of a large channel is not told of, and nothing is left of him.
func TestLargeChannelForgets(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.opts.Grace = 0
		for i := range Large + 1 {
			r.node.Enter(roomName, Entrance{Session: wire.SessionID(fmt.Sprintf("s%05d", i)), Who: user1("alice"), At: at(1)})
		}
		pass(2 * time.Second)
		tail := r.page(wire.Presence{Channel: roomName}).Position.Offset
		r.node.Enter(roomName, Entrance{Session: "x", Who: user1("bob"), At: at(2)})
		pass(0)
		r.node.Enter(roomName, Entrance{Session: "y", Who: user1("bob"), At: at(2)})
		r.node.Leave(roomName, "y", at(2))
		pass(2 * time.Second)
		told := r.behind(roomLog, tail)
		if len(told) != 1 || told[0].Count != Large+2 || len(told[0].Joined) != 1 {
			t.Errorf("told %+v", told)
		}
		if n := r.rooms[roomName].rows.count; n != Large+2 {
			t.Errorf("%d rows are kept", n)
		}
	})
}

// A member costs little: its row, its part of a block, and the text of its id.
func TestMemoryOfMembers(t *testing.T) {
	const members, most = 50_000, 160
	r := newRig(t)
	who := &auth.Principal{UserID: "alice"}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var l rows
	before := heap()
	for i := range members {
		id := wire.SessionID(fmt.Sprintf("n1-%x-%x-0123456789abcdef", i%4, (i*7919)%members))
		l.add(row{id: id, who: who, lease: r.node.lease})
	}
	each := (heap() - before) / members
	runtime.KeepAlive(&l)
	t.Logf("a member takes %d bytes", each)
	if each > most {
		t.Errorf("a member takes %d bytes: expected at most %d", each, most)
	}
}
