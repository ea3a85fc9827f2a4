package wire

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
)

// maxMembers bounds the fields of one object of a frame, unknown ones included: each is compared with each, so that
// none stands twice.
const maxMembers = 128

// jsonReader fills in what it is shown from a JSON object. Members come in any order, so an object is indexed first;
// the index of a nested object lies on top of that around it.
type jsonReader struct {
	reading
	members []member
	base    int // the first member of the object being read
}

// member is a field of the input. It begins at byte at, and its value is data[start:end].
type member struct {
	name           []byte
	at, start, end int
}

// decode reads the frame into f, its body into one of b.
func (r *jsonReader) decode(data []byte, f *Frame, b *bodies) error {
	r.begin(data)
	defer r.finish()
	r.document(` such as {"type":"ping"}`)
	f.RequestID = r.request()
	kind := r.kind()
	if r.err != nil {
		return r.err
	}
	t, ok := typeNamed(kind)
	if !ok {
		return unknownType("type " + quoted(string(kind)))
	}
	f.Body = b.take(t)
	r.body(f.Body)
	if r.err != nil {
		f.Body = nil
		return r.err
	}
	return nil
}

// decodeBody reads an object that is a body alone.
func (r *jsonReader) decodeBody(data []byte, b Body) error {
	r.begin(data)
	defer r.finish()
	r.document("")
	r.body(b)
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *jsonReader) finish() {
	r.end()
	if cap(r.members) > maxIndex {
		r.members = nil
	}
}

func (r *jsonReader) body(b Body) {
	if b.Type() == TypeError {
		r.record(at(1, "error"), b, true)
		return
	}
	b.fields(r)
}

// document indexes the outermost object; expected says what it should look like.
func (r *jsonReader) document(expected string) {
	r.members, r.base = r.members[:0], 0
	s := scanner{data: r.data}
	i := s.space(0)
	if i < len(r.data) && r.data[i] != '{' {
		r.malformed("JSON", i, "expected an object"+expected)
		return
	}
	end := r.index(&s, i, 0)
	if end < 0 {
		return
	}
	if end = s.space(end); end < len(r.data) {
		r.malformed("JSON", end, "expected nothing after the object")
	}
	r.distinct(i)
	r.makeRoom()
}

// index puts the members of the object, or the items of the array, that begins at i on top of the index. What was
// read before a failure stays there, for the sake of requestId.
func (r *jsonReader) index(s *scanner, i, depth int) int {
	if i = r.collect(s, i, depth); i < 0 {
		r.malformed("JSON", s.where, s.fault)
	}
	return i
}

func (r *jsonReader) collect(s *scanner, i, depth int) int {
	if i >= len(r.data) {
		return s.wrong(i, "expected an object, but the input ends")
	}
	isObject, closing := r.data[i] == '{', r.data[i]+2 // in ASCII, a bracket and its other half are two apart
	i, more := s.step(i+1, true, closing)
	for more {
		m := member{at: i}
		if isObject {
			if m.name, i = r.name(s, i); i < 0 {
				return -1
			}
		}
		m.start = i
		if m.end = s.value(i, depth+1); m.end < 0 {
			return -1
		}
		r.members = append(r.members, m)
		i, more = s.step(m.end, false, closing)
	}
	return i
}

// push indexes the object or array that m is, and makes it the one that is read. It was scanned before, so it is
// known to be well formed.
func (r *jsonReader) push(m member) (base int) {
	base, r.base = r.base, len(r.members)
	r.index(&scanner{data: r.data}, m.start, 0)
	return base
}

// pop goes back to the object around.
func (r *jsonReader) pop(base int) {
	r.members, r.base = r.members[:r.base], base
}

// name reads a member's name and returns where its value begins.
func (r *jsonReader) name(s *scanner, i int) (name []byte, value int) {
	end, value := s.name(i)
	if value < 0 {
		return nil, -1
	}
	name, r.scratch = Unescape(r.data[i+1:end-1], r.scratch)
	return name, value
}

// distinct refuses an object in which a name stands twice: readers would not agree on which one counts.
func (r *jsonReader) distinct(i int) {
	members := r.members[r.base:]
	if len(members) > maxMembers {
		r.fail(at(0, "object"), i, "has "+strconv.Itoa(len(members))+" fields: at most "+strconv.Itoa(maxMembers)+" are allowed")
		return
	}
	for i, m := range members {
		for _, before := range members[:i] {
			if bytes.Equal(before.name, m.name) {
				r.fail(at(0, quoted(string(m.name))), m.at, "stands there twice")
				return
			}
		}
	}
}

// makeRoom reserves memory for the strings of the object just indexed.
func (r *jsonReader) makeRoom() {
	n := 0
	for _, m := range r.members[r.base:] {
		switch string(m.name) {
		case "data", "text", "base64", "messages", "type":
		default:
			n += m.end - m.start
		}
	}
	r.reserve(n)
}

func (r *jsonReader) request() string {
	scanned := r.err
	r.err = nil
	f := at(1, "requestId")
	id := ""
	if m, ok := r.find(f); ok {
		if r.data[m.start] != '"' {
			r.fail(f, m.start, "is "+r.what(m)+": expected "+requestIDShape)
		} else {
			id = r.requestID(m.start, r.unquoted(m))
		}
	}
	if scanned != nil {
		r.err = scanned
	}
	return id
}

func (r *jsonReader) kind() []byte {
	if r.err != nil {
		return nil
	}
	f := at(0, "type")
	m, ok := r.find(f)
	if !ok {
		r.err = Errorf(CodeInvalidArgument, `type is missing: expected a frame such as {"type":"ping"}`)
		return nil
	}
	if r.data[m.start] != '"' {
		r.fail(f, m.start, "is "+r.what(m)+": expected a string such as subscribe")
		return nil
	}
	return r.unquoted(m)
}

// member looks the field up, whatever its value is.
func (r *jsonReader) member(f field) (member, bool) {
	if r.err != nil {
		return member{}, false
	}
	if f.part != noPart {
		return r.members[r.base], true // a table's entry lies alone on top of the index
	}
	for _, m := range r.members[r.base:] {
		if string(m.name) == f.name {
			return m, true
		}
	}
	return member{}, false
}

// find looks the field up. A null says what absence says, but not inside a table.
func (r *jsonReader) find(f field) (member, bool) {
	m, ok := r.member(f)
	return m, ok && (r.data[m.start] != 'n' || f.part != noPart)
}

// of looks up a field whose value must begin with that byte.
func (r *jsonReader) of(f field, opening byte, expected string) (member, bool) {
	m, ok := r.find(f)
	if ok && r.data[m.start] != opening {
		r.fail(f, m.start, "is "+r.what(m)+": expected "+expected)
		return m, false
	}
	return m, ok
}

// what names the kind of a member's value.
func (r *jsonReader) what(m member) string {
	switch r.data[m.start] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f', 'n':
		return string(r.data[m.start:m.end])
	default:
		return "a number"
	}
}

// unquoted is what a string says. It aliases the input or the scratch.
func (r *jsonReader) unquoted(m member) []byte {
	var s []byte
	s, r.scratch = Unescape(r.data[m.start+1:m.end-1], r.scratch)
	return s
}

func (r *jsonReader) has(f field) bool {
	_, ok := r.find(f)
	return ok
}

func (r *jsonReader) refuse(f field, why string) {
	m, _ := r.member(f)
	r.fail(f, m.start, why)
}

func (r *jsonReader) text(f field, s *string) {
	if f.part == keyPart {
		entry := r.members[r.base]
		*s = r.reading.text(f, entry.at, entry.name)
		return
	}
	if m, ok := r.of(f, '"', "a string"); ok {
		*s = r.reading.text(f, m.start, r.unquoted(m))
	}
}

func (r *jsonReader) number(f field, n *uint64) {
	if m, ok := r.find(f); ok {
		if read, ok := r.digits(f, m); ok {
			*n = read
		}
	}
}

func (r *jsonReader) integer(f field, n *int64) {
	if m, ok := r.find(f); ok {
		if read, ok := r.digits(f, m); ok {
			*n = int64(read) //nolint:gosec // limited below
		}
	}
}

// digits reads a whole number. 1e3 and 1.0 are refused although they are whole: parsers differ in how exactly they
// read them.
func (r *jsonReader) digits(f field, m member) (uint64, bool) {
	if what := r.what(m); what != "a number" {
		r.fail(f, m.start, "is "+what+": expected "+wholeNumber(f))
		return 0, false
	}
	n := uint64(0)
	for _, b := range r.data[m.start:m.end] {
		if b < '0' || b > '9' {
			r.fail(f, m.start, "is not written in digits alone: expected "+wholeNumber(f))
			return 0, false
		}
		if n = n*10 + uint64(b-'0'); n > math.MaxUint64/100 {
			break // far too large already
		}
	}
	return n, r.whole(f, m.start, n)
}

func (r *jsonReader) flag(f field, b *bool) {
	m, ok := r.find(f)
	if !ok {
		return
	}
	switch r.data[m.start] {
	case 't':
		*b = true
	case 'f':
		*b = false
	default:
		r.fail(f, m.start, "is "+r.what(m)+": expected true or false")
	}
}

func (r *jsonReader) form(f field, kind PayloadKind, p *Payload) {
	if kind == PayloadJSON {
		if m, ok := r.member(f); ok {
			r.payload(f, m.start, p, kind, r.data[m.start:m.end:m.end])
		}
		return
	}
	m, ok := r.of(f, '"', "a string")
	if !ok {
		return
	}
	value := r.unquoted(m)
	if kind == PayloadBytes {
		first := len(r.scratch)
		// The decoder of the library passes over line breaks.
		grown, err := base64.StdEncoding.Strict().AppendDecode(r.scratch, value)
		if err != nil || bytes.ContainsAny(value, "\r\n") {
			r.fail(f, m.start, "is not base64: expected the standard alphabet with padding")
			return
		}
		r.scratch, value = grown, grown[first:len(grown):len(grown)]
	}
	r.payload(f, m.start, p, kind, value)
}
