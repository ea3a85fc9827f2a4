package logs

import "strings"

// object parses a line that is a valid JSON object. Every member becomes a field; then those that a member of the
// record says just as well are taken out again.
func (p *parser) object(s string, nested int) {
	const usual = 8 // members
	if p.Fields == nil {
		p.Fields = make([]Field, 0, usual)
	}
	o := objectParser{parser: p}
	first := len(p.Fields)
	for name, value := range members(s) {
		o.index = len(p.Fields)
		p.Fields = append(p.Fields, Field{Name: name, Value: value})
		o.member(name, value)
	}
	o.finish(nested)
	p.compact(first)
}

// compact removes the fields that were taken: those without a value.
func (p *parser) compact(from int) {
	kept := p.Fields[:from]
	for _, f := range p.Fields[from:] {
		if f.Value != "" {
			kept = append(kept, f)
		}
	}
	p.Fields = kept
	if len(kept) == 0 {
		p.Fields = nil
	}
}

// members yields the members of a valid JSON object.
func members(object string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		rest := skipSpace(object[1:])
		for rest[0] == '"' {
			end := stringEnd(rest)
			name := unquote(rest[:end])
			rest = skipSpace(rest[end:])
			rest = skipSpace(rest[1:]) // the colon
			end = valueEnd(rest)
			if !yield(name, rest[:end]) {
				return
			}
			rest = skipSpace(rest[end:])
			if rest[0] == ',' {
				rest = skipSpace(rest[1:])
			}
		}
	}
}

func skipSpace(s string) string {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return s[i:]
}

// stringEnd is the length of the JSON string that s begins with.
func stringEnd(s string) int {
	for i := 1; ; {
		next := strings.IndexByte(s[i:], '"') + i
		escapes := 0
		for s[next-1-escapes] == '\\' { // stops at the opening quote at the latest
			escapes++
		}
		i = next + 1
		if escapes%2 == 0 {
			return i
		}
	}
}

// valueEnd is the length of the JSON value that s begins with.
func valueEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		switch s[i] {
		case '"':
			i += stringEnd(s[i:])
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // a bare word before the end of the object around it
			}
			depth--
			if depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(s)
}

// lookup finds a string member of a JSON value that may be an object.
func lookup(value, name string) (string, bool) {
	if value[0] != '{' {
		return "", false
	}
	for member, inner := range members(value) {
		if member == name && inner[0] == '"' {
			return unquote(inner), true
		}
	}
	return "", false
}
