package filter

import (
	"bytes"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// kind says what a field holds.
type kind uint8

const (
	kindAbsent   kind = iota // also null, which says what absence says
	kindString               // of JSON, a tag, the key: text
	kindNumber               // of JSON
	kindLiteral              // true or false
	kindCompound             // an object or an array
)

// value is a field of the message at hand.
type value struct {
	kind    kind
	rank    uint8 // of the path it was found at
	known   bool  // the field was asked for; a walk may have found it before
	escaped bool  // text is still the inside of a JSON string
	text    []byte
	lower   []byte // text without upper case, once it was wanted
}

// sight is what a program has seen of one message. It belongs to one match at a time, and holds nothing between them.
type sight struct {
	values  []value // by the index of their fields
	walked  bool    // the payload was
	open    int     // how many fields a walk may still find, or find at a better place
	scratch []byte  // the memory of texts that were copied
}

// look is the field's value in the message. It stays good until the match ends.
func (s *sight) look(p *Program, m *wire.Message, index int) *value {
	v := &s.values[index]
	if v.known {
		return v
	}
	v.known = true
	switch f := &p.fields[index]; f.place {
	case placeTag, placeTagFirst:
		if !s.pair(v, m.Tags, f.key) && f.place == placeTagFirst {
			s.walk(p, m)
		}
	case placeMeta:
		s.pair(v, m.Meta, f.key)
	case placeKey:
		s.envelope(v, m.Key)
	case placePublisher:
		s.envelope(v, m.Publisher)
	case placeMessageID:
		s.envelope(v, m.MessageID)
	case placePayload:
		s.walk(p, m)
	case placeText:
		s.walk(p, m)
		if v.kind != kindString {
			*v = wholeText(m)
		}
	}
	return v
}

// pair takes the entry of that key.
func (s *sight) pair(v *value, pairs wire.Pairs, key string) bool {
	for i := range pairs {
		if pairs[i].Key == key {
			s.set(v, pairs[i].Value)
			return true
		}
	}
	return false
}

// envelope takes one of the message's own names, which are absent when empty.
func (s *sight) envelope(v *value, text string) {
	if text != "" {
		s.set(v, text)
	}
}

func (s *sight) set(v *value, text string) {
	first := len(s.scratch)
	s.scratch = append(s.scratch, text...)
	*v = value{kind: kindString, known: true, text: s.scratch[first:len(s.scratch):len(s.scratch)]}
}

// wholeText is the payload as a text: what is searched where there is no message in it.
func wholeText(m *wire.Message) value {
	text := m.Payload.Bytes
	switch m.Payload.Kind {
	case wire.PayloadText:
		return value{kind: kindString, known: true, text: text}
	case wire.PayloadJSON:
		// Only strings have backslashes, so the whole can be unescaped as if it were one.
		return value{kind: kindString, known: true, text: text, escaped: bytes.IndexByte(text, '\\') >= 0}
	case wire.PayloadNone, wire.PayloadBytes:
	}
	return value{known: true}
}

// textOf is what the value says.
func (s *sight) textOf(v *value) []byte {
	if v.escaped {
		v.text, s.scratch = wire.Unescape(v.text, s.scratch)
		v.escaped = false
	}
	return v.text
}

// lowerOf is what the value says, without upper case.
func (s *sight) lowerOf(v *value) []byte {
	if v.lower == nil {
		text := s.textOf(v)
		first := len(s.scratch)
		s.scratch = appendFolded(s.scratch, text)
		v.lower = s.scratch[first:len(s.scratch):len(s.scratch)]
	}
	return v.lower
}

// forget makes the sight ready for another message.
func (s *sight) forget(p *Program) {
	clear(s.values)
	s.walked, s.open = false, p.inPayload
	if s.scratch = s.scratch[:0]; cap(s.scratch) > maxScratch {
		s.scratch = nil
	}
}
