package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// record, list and table of the Protobuf reader: each puts an index on top, reads from it, and takes it away.

// record reads all occurrences: Protobuf merges the parts of a message that was sent in parts.
func (r *protoReader) record(f field, rec record, _ bool) {
	if f.part == noPart {
		r.enter(f.name, -1)
		defer r.leave()
	}
	for i := r.base; i < len(r.entries) && r.err == nil; i++ {
		if e := r.entries[i]; e.num == f.num && r.is(f, e, protowire.BytesType) {
			r.message(e, rec)
		}
	}
}

func (r *protoReader) list(f field, l list) {
	r.depth++ // an array around the objects
	r.items(f, l, func(i int) { r.enter(f.name, i) })
	r.depth--
}

func (r *protoReader) table(f field, l list) {
	r.beginTable()
	r.items(f, l, func(int) { r.enter(f.name, -1) })
}

// items reads each occurrence as an item of the list; enter names its place.
func (r *protoReader) items(f field, l list, enter func(i int)) {
	count, first := 0, 0
	for _, e := range r.entries[r.base:] {
		if e.num == f.num {
			if count == 0 {
				first = e.at
			}
			count++
		}
	}
	if r.err != nil || count == 0 || !r.room(f, first, l, count) {
		return
	}
	for i := r.base; i < len(r.entries) && r.err == nil; i++ {
		if e := r.entries[i]; e.num == f.num && r.is(f, e, protowire.BytesType) {
			enter(l.size())
			r.message(e, l.extend(count))
			r.leave()
		}
	}
}
