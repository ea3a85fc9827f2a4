package presence

import (
	"slices"
	"strings"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// row is one member: 64 bytes. There are many.
type row struct {
	id     wire.SessionID
	who    *auth.Principal
	lease  *Lease  // of the node that has it
	info   *string // what it says of itself, a JSON value; nil: nothing
	since  int64   // milliseconds since 1970
	leaves moment  // when it is gone unless it comes back; 0: it is here
	slot   uint32  // where it lives, see keep.Place
	loop   uint16
	flags  flags
}

// flags are what is known of a row, and what is told of it.
type flags uint16

const (
	here   flags = 1 << iota // it is a member
	told                     // everybody knows that
	news                     // what it says of itself is not what was told
	queued                   // it is looked at when the room is told of
)

func (r *row) is(f flags) bool { return r.flags&f != 0 }

// set sets or clears flags.
func (r *row) set(f flags, on bool) {
	if r.flags &^= f; on {
		r.flags |= f
	}
}

// blockRows bounds what has to be moved when a row comes or goes, to 8 KiB.
const blockRows = 128

// rows are members in the order of their session ids: sorted blocks, one after the other, none of them empty.
//
//	blocks[i] last < blocks[i+1] first
type rows struct {
	blocks [][]row
	count  int
}

// seek returns the place of the first row that is not before id, and whether it is that of id. The block may be one behind
// the last.
func (l *rows) seek(id wire.SessionID) (block, index int, found bool) {
	block, _ = slices.BinarySearchFunc(l.blocks, id, func(b []row, id wire.SessionID) int {
		return strings.Compare(string(b[len(b)-1].id), string(id))
	})
	if block == len(l.blocks) {
		return block, 0, false
	}
	index, found = slices.BinarySearchFunc(l.blocks[block], id, func(r row, id wire.SessionID) int {
		return strings.Compare(string(r.id), string(id))
	})
	return block, index, found
}

// find returns the row of a session, nil when there is none. It is valid until the next add or remove.
func (l *rows) find(id wire.SessionID) *row {
	block, index, found := l.seek(id)
	if !found {
		return nil
	}
	return &l.blocks[block][index]
}

// add puts a row in its place, where none has its id.
func (l *rows) add(r row) {
	block, index, _ := l.seek(r.id)
	l.count++
	if last := len(l.blocks) - 1; block > last { // behind all others
		if last < 0 || len(l.blocks[last]) == blockRows {
			l.blocks = append(l.blocks, []row{r})
			return
		}
		l.blocks[last] = append(l.blocks[last], r)
		return
	}
	if len(l.blocks[block]) == blockRows {
		const half = blockRows / 2
		upper := slices.Clone(l.blocks[block][half:])
		clear(l.blocks[block][half:])
		l.blocks[block] = l.blocks[block][:half]
		l.blocks = slices.Insert(l.blocks, block+1, upper)
		if index > half {
			block, index = block+1, index-half
		}
	}
	l.blocks[block] = slices.Insert(l.blocks[block], index, r)
}

// remove takes the row of a session out, if there is one. Blocks that have become small are joined.
func (l *rows) remove(id wire.SessionID) {
	block, index, found := l.seek(id)
	if !found {
		return
	}
	l.count--
	l.blocks[block] = slices.Delete(l.blocks[block], index, index+1)
	if len(l.blocks[block]) == 0 {
		l.blocks = slices.Delete(l.blocks, block, block+1)
		return
	}
	if next := block + 1; next < len(l.blocks) && len(l.blocks[block])+len(l.blocks[next]) <= blockRows/2 {
		l.blocks[block] = append(l.blocks[block], l.blocks[next]...)
		l.blocks = slices.Delete(l.blocks, next, next+1)
	}
}

// each calls f for each row in order, from the one behind a session id on, until f says that it is enough.
func (l *rows) each(after wire.SessionID, f func(*row) bool) {
	block, index, found := l.seek(after)
	if found {
		index++
	}
	for ; block < len(l.blocks); block, index = block+1, 0 {
		for i := index; i < len(l.blocks[block]); i++ {
			if !f(&l.blocks[block][i]) {
				return
			}
		}
	}
}
