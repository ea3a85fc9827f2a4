package session

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// awaited has something asked of the rig's loop, and turns that until it was answered.
func awaited[A any](r *rig, ask func() (A, error)) (A, error) {
	r.t.Helper()
	var answer A
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err = ask()
	}()
	r.await("the answer of the loop", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return answer, err
}

func (r *rig) list(q ListQuery) Listing {
	r.t.Helper()
	page, err := awaited(r, func() (Listing, error) { return List(r.t.Context(), []*Shard{r.shard}, q) })
	if err != nil {
		r.t.Fatal(err)
	}
	return page
}

func users(page Listing) (all []string) {
	for _, s := range page.Sessions {
		all = append(all, s.UserID)
	}
	return all
}

// withCredential is a principal whose credential says more of it, and who may serve methods.
func withCredential(user, device, token string) *auth.Principal {
	p := *principal(user)
	rights, err := auth.NewRights(auth.Grants{Subscribe: []string{"a", "b"}, Serve: []string{"t.*"}})
	if err != nil {
		panic(err)
	}
	p.Rights = rights
	p.Token = &auth.Token{DeviceID: device, ID: token}
	return &p
}

func TestListTellsHowSessionsStand(t *testing.T) {
	r := newRig(t, rigOptions{})
	opened := time.Now().Truncate(time.Second)
	p := withCredential("alice", "phone", "t1")
	c := r.openAs(p, protobufLine)
	c.say(`{"type":"connect","requestId":"c"}`, subscribeTo("a"), subscribeTo("b"),
		`{"type":"serve","requestId":"1","method":"t.two"}`, `{"type":"serve","requestId":"2","method":"t.one"}`)
	r.advance(3 * time.Second)
	c.say(`{"type":"ping"}`)
	heard := r.clock.now()
	r.advance(time.Second)
	r.open(principal("new")) // it has not connected

	page := r.list(ListQuery{Limit: 10})
	if len(page.Sessions) != 1 || page.Total != 1 || page.Next != "" {
		t.Fatalf("got %+v", page)
	}
	got := page.Sessions[0]
	if since := time.UnixMilli(got.Since); since.Before(opened.Add(-time.Second)) || since.After(time.Now()) {
		t.Errorf("since %s, want about %s", since, opened)
	}
	want := Info{
		ID: c.s.ID(), UserID: "alice", Device: "phone", Token: "t1", Since: got.Since, LastActive: heard.UnixMilli(),
		Subscriptions: 2, Serves: []string{"t.one", "t.two"}, Format: "protobuf", at: c.s.place(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestListByPage(t *testing.T) {
	r := newRig(t, rigOptions{})
	var want []string
	for i := range 10 {
		user := fmt.Sprint("user", i)
		c := r.joined(user)
		if i%2 == 0 {
			c.say(subscribeTo("a"))
		}
		want = append(want, user)
	}
	for _, limit := range []int{1, 3, 9, 10, 20} {
		var got []string
		for q := (ListQuery{Limit: limit}); ; {
			page := r.list(q)
			if page.Total != 10 || len(page.Sessions) > limit {
				t.Fatalf("pages of %d: %d of %d", limit, len(page.Sessions), page.Total)
			}
			got = append(got, users(page)...)
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %v, want %v", limit, got, want)
		}
	}
	if page := r.list(ListQuery{Limit: 2, Channel: "a"}); !slices.Equal(users(page), []string{"user0", "user2"}) || page.Total != 5 || page.Next == "" {
		t.Errorf("of channel a: %+v", page)
	}
	if page := r.list(ListQuery{Limit: 2, User: "user7"}); !slices.Equal(users(page), []string{"user7"}) || page.Total != 1 || page.Next != "" {
		t.Errorf("of user7: %+v", page)
	}
	if page := r.list(ListQuery{Limit: 2, User: "nobody"}); page.Total != 0 || len(page.Sessions) != 0 {
		t.Errorf("of nobody: %+v", page)
	}
	if _, err := List(t.Context(), []*Shard{r.shard}, ListQuery{Limit: 1, After: "no place"}); wire.AsError(err).Code != wire.CodeInvalidArgument {
		t.Errorf("behind nothing known: %v", err)
	}
}

// TestListOfALargeLoop has more sessions than are looked at in one go, and pages of them.
func TestListOfALargeLoop(t *testing.T) {
	r := newRig(t, rigOptions{})
	const total = 3 * lookedAt
	for range total {
		r.open(principal("alice")).tell(`{"type":"connect"}`)
	}
	r.settle()
	seen := make(map[wire.SessionID]bool)
	for q := (ListQuery{Limit: 1000}); ; {
		page := r.list(q)
		for _, s := range page.Sessions {
			seen[s.ID] = true
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if len(seen) != total {
		t.Errorf("%d sessions are listed, want %d", len(seen), total)
	}
}

func TestSubscribersAreCounted(t *testing.T) {
	r := newRig(t, rigOptions{})
	for range 3 {
		r.joined("alice").say(subscribeTo("a"))
	}
	r.joined("bob").say(subscribeTo("b"))
	counts, err := awaited(r, func() ([]int, error) {
		return Subscribers(t.Context(), []*Shard{r.shard}, []wire.ChannelName{"b", "a", "c"})
	})
	if err != nil || !slices.Equal(counts, []int{1, 3, 0}) {
		t.Errorf("got %v, %v", counts, err)
	}
}

func TestAskingWaitsForNobodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := Settings{}.WithDefaults()
		shards := []*Shard{NewShard(settings, deaf{}, 0), NewShard(settings, ended{}, 1)}
		all := Target{User: "alice"}
		for name, ask := range map[string]func(context.Context) error{
			"list": func(ctx context.Context) error {
				_, err := List(ctx, shards, ListQuery{Limit: 1})
				return err
			},
			"count": func(ctx context.Context) error {
				_, err := Subscribers(ctx, shards, nil)
				return err
			},
			"disconnect": func(ctx context.Context) error {
				_, err := Disconnect(ctx, shards, all, wire.CloseForbidden, "")
				return err
			},
			"subscribe": func(ctx context.Context) error {
				_, err := Subscribe(ctx, shards, all, &wire.Subscribe{Channel: "a"})
				return err
			},
			"unsubscribe": func(ctx context.Context) error {
				_, err := Unsubscribe(ctx, shards, all, "a", "")
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), AskTimeout)
			if failure, ok := errors.AsType[*wire.Error](ask(ctx)); !ok || failure.Code != wire.CodeUnavailable {
				t.Errorf("%s: %v, want unavailable", name, failure)
			}
			cancel()
		}
	})
}
