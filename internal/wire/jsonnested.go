package wire

// record, list and table of the JSON reader: each puts an index on top, reads from it, and takes it away.

func (r *jsonReader) record(f field, rec record, _ bool) {
	m, ok := r.of(f, '{', "an object")
	if !ok {
		return
	}
	if f.part == noPart {
		r.enter(f.name, -1)
		defer r.leave()
	}
	r.object(m, rec)
}

// object reads the fields of rec from the object that m is.
func (r *jsonReader) object(m member, rec record) {
	base := r.push(m)
	r.distinct(m.start)
	r.makeRoom()
	rec.fields(r)
	r.pop(base)
}

func (r *jsonReader) list(f field, l list) {
	m, ok := r.of(f, '[', "an array")
	if !ok {
		return
	}
	base := r.push(m)
	defer r.pop(base)
	items := len(r.members) - r.base
	if !r.room(f, m.start, l, items) {
		return
	}
	for i := range items {
		item := r.members[r.base+i]
		if r.data[item.start] != '{' {
			r.fail(f, item.start, "has "+r.what(item)+" among its items: expected objects")
		}
		if r.err != nil {
			return
		}
		r.enter(f.name, i)
		r.object(item, l.extend(items))
		r.leave()
	}
}

func (r *jsonReader) table(f field, t table) {
	m, ok := r.of(f, '{', "an object")
	if !ok {
		return
	}
	base := r.push(m)
	defer r.pop(base)
	items := len(r.members) - r.base
	if !r.room(f, m.start, t, items) {
		return
	}
	r.enter(f.name, -1)
	defer r.leave()
	r.beginTable(t)
	for i := range items {
		if r.err != nil {
			return
		}
		entry := r.members[r.base+i]
		r.entry(entry, t.extend(items))
		r.newKey(t, entry.at)
	}
}

// entry reads one member of a table, as a record of its key and its value.
func (r *jsonReader) entry(m member, rec record) {
	base := r.base
	r.base = len(r.members)
	r.members = append(r.members, m)
	rec.fields(r)
	r.pop(base)
}
