package wire

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// protoEncoder writes what it is shown as Protobuf fields.
type protoEncoder struct{ encoding }

func (e *protoEncoder) frame(requestID string, b Body) {
	e.text(at(1, "requestId"), &requestID)
	e.record(at(protowire.Number(b.Type()), "body"), b, true)
}

func (e *protoEncoder) text(f field, s *string) {
	if *s == "" && f.write != explicit {
		return
	}
	appendText(e, f, *s)
}

func (e *protoEncoder) number(f field, n *uint64) {
	if *n == 0 && f.write != explicit {
		return
	}
	e.buf = protowire.AppendTag(e.buf, f.num, protowire.VarintType)
	e.buf = protowire.AppendVarint(e.buf, *n)
}

func (e *protoEncoder) integer(f field, n *int64) {
	if *n <= 0 && f.write != explicit {
		return
	}
	e.buf = protowire.AppendTag(e.buf, f.num, protowire.VarintType)
	e.buf = protowire.AppendVarint(e.buf, uint64(max(*n, 0)))
}

func (e *protoEncoder) flag(f field, b *bool) {
	if *b {
		e.buf = protowire.AppendTag(e.buf, f.num, protowire.VarintType)
		e.buf = append(e.buf, 1)
	}
}

func (e *protoEncoder) form(f field, kind PayloadKind, p *Payload) {
	switch {
	case p.Kind != kind || p.empty():
	case kind == PayloadText:
		appendText(e, f, p.Bytes)
	default:
		e.buf = protowire.AppendTag(e.buf, f.num, protowire.BytesType)
		e.buf = protowire.AppendBytes(e.buf, p.Bytes)
	}
}

func (e *protoEncoder) record(f field, r record, present bool) {
	if !present {
		return
	}
	e.buf = protowire.AppendTag(e.buf, f.num, protowire.BytesType)
	mark := e.open()
	r.fields(e)
	e.close(mark)
}

func (e *protoEncoder) list(f field, l list) {
	for i := range l.size() {
		e.record(f, l.item(i), true)
	}
}

// table is a list: a Protobuf map is one of messages with the fields key and value.
func (e *protoEncoder) table(f field, t table) { e.list(f, t) }

// appendText writes a string field.
func appendText[S string | []byte](e *protoEncoder, f field, s S) {
	e.buf = protowire.AppendTag(e.buf, f.num, protowire.BytesType)
	mark := e.open()
	e.buf = appendUTF8(e.buf, s)
	e.close(mark)
}

// open leaves one byte for the length of what follows, which is enough for most.
func (e *protoEncoder) open() (mark int) {
	e.buf = append(e.buf, 0)
	return len(e.buf)
}

// close writes the length of what was appended since mark, and moves it where its length needs more than a byte.
func (e *protoEncoder) close(mark int) {
	n := len(e.buf) - mark
	size := protowire.SizeVarint(uint64(n)) //nolint:gosec // a length
	for range size - 1 {
		e.buf = append(e.buf, 0)
	}
	if size > 1 {
		copy(e.buf[mark-1+size:], e.buf[mark:mark+n])
	}
	protowire.AppendVarint(e.buf[:mark-1], uint64(n)) //nolint:gosec // a length
}
