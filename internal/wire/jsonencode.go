package wire

import (
	"encoding/base64"
	"strconv"
)

// jsonEncoder writes what it is shown as the members of a JSON object. It needs no state but its output: a comma is
// due wherever the object was not opened just now.
type jsonEncoder struct{ encoding }

func (e *jsonEncoder) frame(requestID string, b Body) {
	e.buf = append(e.buf, `{"type":"`...)
	e.buf = append(e.buf, b.Type().String()...)
	e.buf = append(e.buf, '"')
	e.text(at(1, "requestId"), &requestID)
	e.body(b)
	e.buf = append(e.buf, '}')
}

// body writes a body's fields. Those of an error stand under "error", as they do in a batch's result.
func (e *jsonEncoder) body(b Body) {
	if b.Type() == TypeError {
		e.record(at(1, "error"), b, true)
		return
	}
	b.fields(e)
}

// name begins a member.
func (e *jsonEncoder) name(f field) {
	if f.part == valuePart {
		e.buf = append(e.buf, ':')
		return
	}
	if e.buf[len(e.buf)-1] != '{' {
		e.buf = append(e.buf, ',')
	}
	if f.part == keyPart {
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, f.name...)
	e.buf = append(e.buf, '"', ':')
}

func (e *jsonEncoder) text(f field, s *string) {
	if *s == "" && f.write == whenSet {
		return
	}
	e.name(f)
	e.buf = appendString(e.buf, *s)
}

func (e *jsonEncoder) number(f field, n *uint64) {
	if *n == 0 && f.write == whenSet {
		return
	}
	e.name(f)
	e.buf = strconv.AppendUint(e.buf, *n, 10)
}

func (e *jsonEncoder) integer(f field, n *int64) {
	if *n <= 0 && f.write == whenSet {
		return
	}
	e.name(f)
	e.buf = strconv.AppendInt(e.buf, max(*n, 0), 10)
}

func (e *jsonEncoder) flag(f field, b *bool) {
	if !*b && f.write == whenSet {
		return
	}
	e.name(f)
	e.buf = strconv.AppendBool(e.buf, *b)
}

func (e *jsonEncoder) form(f field, kind PayloadKind, p *Payload) {
	if p.Kind != kind || p.empty() {
		return
	}
	e.name(f)
	switch kind {
	case PayloadText:
		e.buf = appendString(e.buf, p.Bytes)
	case PayloadBytes:
		e.buf = append(e.buf, '"')
		e.buf = base64.StdEncoding.AppendEncode(e.buf, p.Bytes)
		e.buf = append(e.buf, '"')
	default:
		e.buf = append(e.buf, p.Bytes...)
	}
}

func (e *jsonEncoder) record(f field, r record, present bool) {
	if !present {
		return
	}
	e.name(f)
	e.buf = append(e.buf, '{')
	r.fields(e)
	e.buf = append(e.buf, '}')
}

func (e *jsonEncoder) list(f field, l list) {
	if l.size() == 0 && f.write == whenSet {
		return
	}
	e.name(f)
	e.buf = append(e.buf, '[')
	for i := range l.size() {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = append(e.buf, '{')
		l.item(i).fields(e)
		e.buf = append(e.buf, '}')
	}
	e.buf = append(e.buf, ']')
}

func (e *jsonEncoder) table(f field, t table) {
	if t.size() == 0 {
		return
	}
	e.name(f)
	e.buf = append(e.buf, '{')
	for i := range t.size() {
		t.item(i).fields(e)
	}
	e.buf = append(e.buf, '}')
}
