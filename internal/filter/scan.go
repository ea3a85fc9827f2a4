package filter

import (
	"bytes"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// walk finds every field that the program may ask of a JSON payload. It recurses only along the paths of the fields; all
// else it passes over. Where a name stands twice in an object the first one counts, which lets the walk end early.
//
// What arrives is valid JSON, which wire has seen to; of anything else the walk finds something or nothing, and ends.
func (s *sight) walk(p *Program, m *wire.Message) {
	if s.walked {
		return
	}
	s.walked = true
	if m.Payload.Kind != wire.PayloadJSON {
		return
	}
	data := m.Payload.Bytes
	if i := space(data, 0); i < len(data) && data[i] == '{' {
		s.object(data, i, &p.paths)
	}
}

// object walks over the object that begins at i. Like the methods below it returns the place behind, or -1 where there is
// nothing more to find.
func (s *sight) object(data []byte, i int, at *branch) int {
	i = space(data, i+1)
	for i < len(data) && data[i] == '"' {
		end := stringEnd(data, i)
		if end < 0 {
			return -1
		}
		name := data[i+1 : end-1]
		if i = space(data, end); i >= len(data) || data[i] != ':' {
			return -1
		}
		i = space(data, i+1)
		if bytes.IndexByte(name, '\\') >= 0 {
			name, s.scratch = wire.Unescape(name, s.scratch)
		}
		if i = s.member(data, i, at.member(name)); i < 0 {
			return -1
		}
		if i = space(data, i); i >= len(data) || data[i] != ',' {
			break
		}
		i = space(data, i+1)
	}
	if i >= len(data) || data[i] != '}' {
		return -1
	}
	return i + 1
}

// member walks over the value at i, which has that branch of the paths, or nil.
func (s *sight) member(data []byte, i int, at *branch) int {
	if i >= len(data) {
		return -1
	}
	if at == nil {
		return valueEnd(data, i)
	}
	var end int
	if data[i] == '{' && at.members != nil {
		end = s.object(data, i, at)
	} else {
		end = valueEnd(data, i)
	}
	if end < 0 {
		return -1
	}
	for _, c := range at.here {
		s.take(c, data[i:end])
	}
	if s.open == 0 {
		return -1
	}
	return end
}

// take makes raw, a JSON value, that of the field unless there is one of a better place.
func (s *sight) take(c claim, raw []byte) {
	v := &s.values[c.field]
	if raw[0] == 'n' || v.kind != kindAbsent && v.rank <= c.rank {
		return
	}
	found := value{known: v.known, rank: c.rank, text: raw}
	switch raw[0] {
	case '"':
		found.kind = kindString
		found.text = raw[1 : len(raw)-1]
		found.escaped = bytes.IndexByte(found.text, '\\') >= 0
	case '{', '[':
		found.kind = kindCompound
	case 't', 'f':
		found.kind = kindLiteral
	default:
		found.kind = kindNumber
	}
	*v = found
	if c.rank == 0 {
		s.open--
	}
}

func space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// stringEnd is the place behind the string that begins at i.
func stringEnd(data []byte, i int) int {
	for next := i + 1; ; {
		length := bytes.IndexByte(data[next:], '"')
		if length < 0 {
			return -1
		}
		quote := next + length
		escapes := 0
		for data[quote-1-escapes] == '\\' { // stops at the opening quote at the latest
			escapes++
		}
		if next = quote + 1; escapes%2 == 0 {
			return next
		}
	}
}

// valueEnd is the place behind the value that begins at i.
func valueEnd(data []byte, i int) int {
	switch data[i] {
	case '"':
		return stringEnd(data, i)
	case '{', '[':
		return compoundEnd(data, i)
	}
	end := i
	for end < len(data) && !endsLiteral[data[end]] {
		end++
	}
	if end == i {
		return -1
	}
	return end
}

// endsLiteral holds what may stand behind a number, true, false or null.
var endsLiteral = [256]bool{',': true, '}': true, ']': true, ' ': true, '\t': true, '\n': true, '\r': true}

// compoundEnd is the place behind the object or array that begins at i.
func compoundEnd(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			if i = stringEnd(data, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
