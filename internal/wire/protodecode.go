package wire

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxEntries bounds the fields of one Protobuf message, unknown ones included. It leaves room for the largest batch.
const maxEntries = 2 * MaxBatch

// protoReader fills in what it is shown from a Protobuf message. As with JSON, a message is indexed first, and the
// index of a nested message lies on top of that around it.
type protoReader struct {
	reading
	entries []entry
	base    int // the first entry of the message being read
	depth   int // how deep what is read would stand as JSON
}

// entry is a field of the input. It begins at byte at; what a field of bytes holds is data[start:end].
type entry struct {
	num            protowire.Number
	wire           protowire.Type
	at, start, end int
	varint         uint64
}

// decode reads the frame into f, its body into one of b.
func (r *protoReader) decode(data []byte, f *Frame, b *bodies) error {
	r.begin(data)
	defer r.finish()
	r.entries, r.base, r.depth = r.entries[:0], 0, 0
	r.index(0, len(data))
	f.RequestID = r.request()
	if r.err != nil {
		return r.err
	}
	unknown := protowire.Number(0)
	for i := range r.entries {
		e := r.entries[i]
		switch t := Type(e.num); { //nolint:gosec // checked by known and the comparison
		case e.num == requestIDNumber:
		case e.num > protowire.Number(TypeMembers) || !t.known():
			unknown = e.num
		case e.wire != protowire.BytesType:
			r.fail(at(e.num, t.String()), e.at, "is not a message")
		default:
			r.body(e, t, f, b)
		}
	}
	switch {
	case r.err != nil:
	case f.Body == nil && unknown != 0:
		r.err = unknownType("body field " + strconv.Itoa(int(unknown)))
	case f.Body == nil:
		r.err = Errorf(CodeInvalidArgument, "the frame has no body: expected one such as ping")
	}
	if r.err != nil {
		f.Body = nil
		return r.err
	}
	return nil
}

func (r *protoReader) finish() {
	r.end()
	if cap(r.entries) > maxIndex {
		r.entries = nil
	}
}

// body reads one body. Of several the last one counts; parts of the same body are merged.
func (r *protoReader) body(e entry, t Type, f *Frame, b *bodies) {
	if f.Body == nil || f.Body.Type() != t {
		f.Body = b.take(t)
	}
	if t == TypeError {
		r.depth++ // stands under "error" in JSON
		defer func() { r.depth-- }()
	}
	r.message(e, f.Body)
}

// requestIDNumber is the number of the frame's request_id.
const requestIDNumber protowire.Number = 1

func (r *protoReader) request() string {
	indexed := r.err
	r.err = nil
	f, id := at(requestIDNumber, "requestId"), ""
	if e, ok := r.findUTF8(f); ok {
		// The strings of the usual body fit beside it.
		const usual = 192
		r.reserve(e.end - e.start + min(len(r.data), usual))
		id = r.requestID(e.at, r.data[e.start:e.end])
	}
	if indexed != nil {
		r.err = indexed
	}
	return id
}

// index puts the fields of the message that is data[i:end] on top of the index. What was read before a failure stays
// there, for the sake of request_id.
func (r *protoReader) index(i, end int) {
	for i < end {
		e := entry{at: i}
		var n int
		e.num, e.wire, n = protowire.ConsumeTag(r.data[i:end])
		if n < 0 || e.num > protowire.MaxValidNumber {
			r.malformed("Protobuf", i, "expected a field")
			return
		}
		i += n
		switch e.wire {
		case protowire.VarintType:
			e.varint, n = protowire.ConsumeVarint(r.data[i:end])
		case protowire.BytesType:
			_, n = protowire.ConsumeBytes(r.data[i:end])
		default:
			n = protowire.ConsumeFieldValue(e.num, e.wire, r.data[i:end])
		}
		if n < 0 {
			r.malformed("Protobuf", e.at, "field "+strconv.Itoa(int(e.num))+" is cut off or not a value of its kind")
			return
		}
		if e.wire == protowire.BytesType {
			_, prefix := protowire.ConsumeVarint(r.data[i:end])
			e.start, e.end = i+prefix, i+n
		}
		i += n
		if len(r.entries)-r.base == maxEntries {
			r.malformed("Protobuf", e.at, "a message has more than "+strconv.Itoa(maxEntries)+" fields")
			return
		}
		r.entries = append(r.entries, e)
	}
}

// message reads the fields of rec from the message that e holds.
func (r *protoReader) message(e entry, rec record) {
	base := r.base
	r.base = len(r.entries)
	r.depth++
	r.index(e.start, e.end)
	rec.fields(r)
	r.depth--
	r.entries, r.base = r.entries[:r.base], base
}

// find looks up the last field of that number.
func (r *protoReader) find(f field, wire protowire.Type) (entry, bool) {
	if r.err != nil {
		return entry{}, false
	}
	for i := len(r.entries) - 1; i >= r.base; i-- {
		if e := r.entries[i]; e.num == f.num {
			return e, r.is(f, e, wire)
		}
	}
	return entry{}, false
}

// is checks the wire type of a field.
func (r *protoReader) is(f field, e entry, wire protowire.Type) bool {
	if e.wire == wire {
		return true
	}
	expected := "bytes"
	if wire == protowire.VarintType {
		expected = "a varint"
	}
	r.fail(f, e.at, "has wire type "+strconv.Itoa(int(e.wire))+": expected "+expected)
	return false
}

func (r *protoReader) has(f field) bool {
	if r.err != nil {
		return false
	}
	for _, e := range r.entries[r.base:] {
		if e.num == f.num {
			return true
		}
	}
	return false
}

func (r *protoReader) refuse(f field, why string) {
	i := 0
	for _, e := range r.entries[r.base:] {
		if e.num == f.num {
			i = e.at
		}
	}
	r.fail(f, i, why)
}

func (r *protoReader) text(f field, s *string) {
	if e, ok := r.findUTF8(f); ok {
		*s = r.reading.text(f, e.at, r.data[e.start:e.end])
	}
}

// findUTF8 looks up the last field of that number, after a check of all of them: a value that does not count has to be
// UTF-8 as well, or other readers would refuse the frame.
func (r *protoReader) findUTF8(f field) (entry, bool) {
	last, ok := r.find(f, protowire.BytesType)
	if !ok {
		return last, false
	}
	for _, e := range r.entries[r.base:] {
		if e.num == f.num && !utf8.Valid(r.data[e.start:e.end]) {
			r.fail(f, e.at, "is not UTF-8")
			return last, false
		}
	}
	return last, true
}

func (r *protoReader) number(f field, n *uint64) {
	if e, ok := r.find(f, protowire.VarintType); ok && r.whole(f, e.at, e.varint) {
		*n = e.varint
	}
}

func (r *protoReader) integer(f field, n *int64) {
	if e, ok := r.find(f, protowire.VarintType); ok && r.whole(f, e.at, e.varint) {
		*n = int64(e.varint) //nolint:gosec // whole has limited it
	}
}

func (r *protoReader) flag(f field, b *bool) {
	if e, ok := r.find(f, protowire.VarintType); ok {
		*b = e.varint != 0
	}
}

func (r *protoReader) form(f field, kind PayloadKind, p *Payload) {
	e, ok := r.find(f, protowire.BytesType)
	if ok && kind == PayloadText {
		e, ok = r.findUTF8(f)
	}
	if !ok {
		return
	}
	b := r.data[e.start:e.end:e.end]
	if kind == PayloadJSON {
		s := scanner{data: b}
		if !s.valid(r.depth) { // the frames of JSON clients would break on it
			r.fail(f, e.at, "is not valid JSON at its byte "+strconv.Itoa(s.where)+": "+s.fault)
			return
		}
		b = bytes.Trim(b, " \t\r\n") // the value alone, as in JSON
	}
	r.payload(f, e.at, p, kind, b)
}
