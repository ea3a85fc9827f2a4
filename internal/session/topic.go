package session

import (
	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// topic is one channel as a loop sees it: its log, and the cursors of the loop's subscribers.
type topic struct {
	log     *channel.Log
	watch   *channel.Watch
	cursors []cursor
	choosy  int       // cursors whose subscriptions leave out more than the others
	sifted  *sifted   // what a filter lets through of it; nil: all
	slow    *slowness // what becomes of cursors that fall behind; nil: nothing
	present bool      // the subscribers are told of
	members bool      // they may be members: present was true once
	pass    int       // the running pass has served cursors[:pass]
	queued  bool      // in the shard's queue
	again   bool      // another pass must follow this one
}

// cursor is a subscription: the next entry to deliver, and for whom. It is small, and holds no pointer, because there
// are many: slot is the session's in the shard, sub the place of the subscription in the session's list.
type cursor struct {
	next wire.Offset
	slot uint32
	sub  uint32
}

// subscription is the session's side of a cursor.
type subscription struct {
	topic    *topic
	index    uint32 // of the cursor in topic.cursors
	fetching bool   // the cursor rests until what it is to deliver has come from the store
	exclude  bool   // what the session itself has published is not delivered to it
	conflate bool   // of each key only the newest is delivered
	skipping bool   // what is not the newest of its key is not delivered, until the cursor has caught up
}

// add puts a cursor at the end of the list, where a running pass will come by.
func (t *topic) add(c cursor) (index uint32) {
	t.cursors = append(t.cursors, c)
	return uint32(len(t.cursors) - 1)
}

// remove takes the cursor at index out and fills the hole so that a running pass serves no one twice and skips no
// one: a hole in the part already served is filled from that part's end, and the hole this leaves, at the border,
// from the end of the list. moved is called for each cursor that has a new place.
func (t *topic) remove(index uint32, moved func(c cursor, index uint32)) {
	hole := int(index)
	if hole < t.pass {
		t.pass--
		hole = t.fill(hole, t.pass, moved)
	}
	hole = t.fill(hole, len(t.cursors)-1, moved)
	t.cursors = t.cursors[:hole]
	// A burst of subscribers must not be remembered for ever.
	if c := cap(t.cursors); c > 64 && len(t.cursors) < c/4 {
		t.cursors = append(make([]cursor, 0, c/2), t.cursors...)
	}
}

// fill moves the cursor at from into the hole and returns the hole that this leaves.
func (t *topic) fill(hole, from int, moved func(cursor, uint32)) int {
	if hole != from {
		t.cursors[hole] = t.cursors[from]
		moved(t.cursors[hole], uint32(hole))
	}
	return from
}
