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
	defer func() { r.depth-- }()
	count := r.count(f, l)
	for i := r.base; i < len(r.entries) && r.err == nil; i++ {
		if e := r.entries[i]; e.num == f.num && r.is(f, e, protowire.BytesType) {
			r.enter(f.name, l.size())
			r.message(e, l.extend(count))
			r.leave()
		}
	}
}

func (r *protoReader) table(f field, t table) {
	r.beginTable(t)
	count := r.count(f, t)
	r.enter(f.name, -1)
	defer r.leave()
	for i := r.base; i < len(r.entries) && r.err == nil; i++ {
		if e := r.entries[i]; e.num == f.num && r.is(f, e, protowire.BytesType) {
			r.message(e, t.extend(count))
			r.newKey(t, e.at)
		}
	}
}

// count tells how many items are to come, after a check that there is room for them.
func (r *protoReader) count(f field, l list) int {
	count, first := 0, 0
	for _, e := range r.entries[r.base:] {
		if e.num == f.num {
			if count == 0 {
				first = e.at
			}
			count++
		}
	}
	if count > 0 {
		r.room(f, first, l, count)
	}
	return count
}
