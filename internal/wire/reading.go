package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
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
	keys    []string        // the keys so far of the table being read
	seen    map[string]bool // the same, of a large one
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

// text checks the length of a text, and that it is the only one of its table when it is a key, and copies it.
func (r *reading) text(f field, i int, b []byte) string {
	if f.limit > 0 && uint64(len(b)) > f.limit {
		r.fail(f, i, "has "+strconv.Itoa(len(b))+" bytes: at most "+strconv.FormatUint(f.limit, 10)+" are allowed")
		return ""
	}
	s := r.keep(b)
	if f.part == keyPart && !r.first(s) {
		r.fail(f, i, "stands there twice: "+quoted(s))
	}
	return s
}

// beginTable forgets the keys of the table before; tables do not stand in tables.
func (r *reading) beginTable() {
	r.keys = r.keys[:0]
	clear(r.seen)
}

// first reports whether the key is new in its table, and remembers it.
func (r *reading) first(key string) bool {
	if len(r.keys) < fewKeys {
		for _, k := range r.keys {
			if k == key {
				return false
			}
		}
		r.keys = append(r.keys, key)
		return true
	}
	if len(r.seen) == 0 {
		if r.seen == nil {
			r.seen = make(map[string]bool)
		}
		for _, k := range r.keys {
			r.seen[k] = true
		}
	}
	if r.seen[key] {
		return false
	}
	r.seen[key] = true
	return true
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
	if !utf8.Valid(b) {
		r.fail(f, i, "is not UTF-8: expected "+requestIDShape)
		return ""
	}
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
