package wire

import (
	"strconv"
	"strings"
)

// The bounds of what a decoder keeps and makes ready; beyond them it still decodes, at the price of an allocation.
const (
	maxReserve = 1024     // bytes made ready for the strings of one frame
	maxScratch = 64 << 10 // bytes kept from frame to frame for what was unescaped
	maxIndex   = 4096     // fields kept from frame to frame for the index of the next
	fewKeys    = 32       // keys of a table compared one by one; more of them are looked up
)

// reading is what both decoders keep while they read one frame.
type reading struct {
	data    []byte
	err     *Error
	path    []step          // where in the frame the reader is
	strings strings.Builder // the memory of all strings of this frame, so that they cost one allocation
	scratch []byte          // what had to be unescaped
	seen    map[string]bool // the keys so far of the table being read, when it is a large one
}

// step is one name on the way to a field; index counts in a list, and is -1 elsewhere.
type step struct {
	name  string
	index int
}

func (r *reading) begin(data []byte) {
	r.data, r.err, r.path = data, nil, r.path[:0]
	r.strings.Reset()
	r.scratch = r.scratch[:0]
}

func (r *reading) end() {
	r.data = nil
	if cap(r.scratch) > maxScratch {
		r.scratch = nil
	}
}

// fail keeps the first failure: field f, which begins at byte i, is not as it should be.
func (r *reading) fail(f field, i int, why string) {
	if r.err == nil {
		r.err = Errorf(CodeInvalidArgument, "%s at byte %d %s", r.place(f), i, why)
	}
}

// malformed keeps the failure of an input that is not of its encoding at all.
func (r *reading) malformed(encoding string, i int, why string) {
	if r.err == nil {
		r.err = Errorf(CodeInvalidArgument, "the frame is not valid %s at byte %d: %s", encoding, i, why)
	}
}

// place is the way to a field, such as messages[3].tags.
func (r *reading) place(f field) string {
	var at strings.Builder
	for _, s := range r.path {
		at.WriteString(s.name)
		if s.index >= 0 {
			at.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
		at.WriteByte('.')
	}
	switch f.part {
	case keyPart:
		return "a key of " + strings.TrimSuffix(at.String(), ".")
	case valuePart:
		return "a value of " + strings.TrimSuffix(at.String(), ".")
	default:
		return at.String() + f.name
	}
}

func (r *reading) enter(name string, index int) { r.path = append(r.path, step{name, index}) }

func (r *reading) leave() { r.path = r.path[:len(r.path)-1] }

// reserve makes room for n bytes of strings at once.
func (r *reading) reserve(n int) {
	if n = min(n, maxReserve); r.strings.Cap()-r.strings.Len() < n {
		r.strings.Grow(n)
	}
}

// keep copies b into the strings of the frame.
func (r *reading) keep(b []byte) string {
	first := r.strings.Len()
	r.strings.Write(b)
	return r.strings.String()[first:]
}

// text checks the length of a text and copies it.
func (r *reading) text(f field, i int, b []byte) string {
	if f.limit > 0 && uint64(len(b)) > f.limit {
		r.fail(f, i, "has "+strconv.Itoa(len(b))+" bytes: at most "+strconv.FormatUint(f.limit, 10)+" are allowed")
		return ""
	}
	return r.keep(b)
}

// beginTable forgets the keys of the table before; tables do not stand in tables. A table that goes on in a further
// part of a Protobuf message keeps them: to gather them again for each of 1,000 parts would take half a million steps.
func (r *reading) beginTable(t table) {
	if t.size() == 0 {
		clear(r.seen)
	}
}

// newKey checks that the key of the last item, which began at byte i, is not that of an item before.
func (r *reading) newKey(t table, i int) {
	last := t.size() - 1
	key := t.key(last)
	twice := false
	if last < fewKeys {
		for before := range last {
			twice = twice || t.key(before) == key
		}
	} else {
		if r.seen == nil {
			r.seen = make(map[string]bool)
		}
		if len(r.seen) == 0 {
			for before := range last {
				r.seen[t.key(before)] = true
			}
		}
		twice = r.seen[key]
		r.seen[key] = true
	}
	if twice {
		r.fail(entryKey(0), i, "stands there twice: "+quoted(key))
	}
}

// whole checks a number against its field's limit, or the general one.
func (r *reading) whole(f field, i int, n uint64) bool {
	if n <= numberLimit(f) {
		return true
	}
	r.fail(f, i, "is too large: expected "+wholeNumber(f))
	return false
}

func numberLimit(f field) uint64 {
	if f.limit > 0 {
		return f.limit
	}
	return uint64(MaxOffset)
}

func wholeNumber(f field) string {
	return "a whole number from 0 to " + strconv.FormatUint(numberLimit(f), 10)
}

// payload sets the one form of a payload.
func (r *reading) payload(f field, i int, p *Payload, kind PayloadKind, b []byte) {
	if p.Kind != PayloadNone {
		r.fail(f, i, "is a second payload: expected only one of data, text and base64 (in Protobuf, bytes)")
		return
	}
	p.Kind, p.Bytes = kind, b
}

// room checks that n items fit into the list beside those it has.
func (r *reading) room(f field, i int, l list, n int) bool {
	if l.size()+n <= l.limit() {
		return true
	}
	r.fail(f, i, "has "+strconv.Itoa(l.size()+n)+" entries: at most "+strconv.Itoa(l.limit())+" are allowed")
	return false
}

// requestIDShape is what is expected of a request's name.
const requestIDShape = "a string of at most 64 bytes"

// requestID checks the name that a request is to be answered under.
func (r *reading) requestID(i int, b []byte) string {
	f := at(1, "requestId").atMost(MaxRequestIDBytes)
	for _, c := range b {
		if c < ' ' || c == 0x7f {
			r.fail(f, i, "has a control character: expected "+requestIDShape+" without any")
			return ""
		}
	}
	return r.text(f, i, b)
}

// unknownType is the answer to a frame that this version does not have.
func unknownType(name string) *Error {
	return Errorf(CodeUnimplemented, "frames of %s are not known here: expected one such as subscribe or publish", name)
}
