package wire

import "google.golang.org/protobuf/encoding/protowire"

// coder is what a frame shows its fields to. An encoder writes what it is shown and changes nothing, so that several
// goroutines can encode one frame. A decoder fills in what its input holds and leaves the rest as it is; after its
// first failure it does nothing any more.
type coder interface {
	scalarCoder
	nestedCoder
	presence
}

// scalarCoder takes the fields that hold one value.
type scalarCoder interface {
	text(f field, s *string)
	number(f field, n *uint64)
	// integer is number for the Go types that are signed; on the wire there is nothing below zero.
	integer(f field, n *int64)
	flag(f field, b *bool)
	// form shows one of the forms of a payload: it is written when p is of that kind, and read when it stands there.
	form(f field, kind PayloadKind, p *Payload)
}

// nestedCoder takes the fields that hold other fields.
type nestedCoder interface {
	// record shows a group of fields. An encoder writes it when it is present, a decoder does not ask.
	record(f field, r record, present bool)
	list(f field, l list)
	// table is a list whose items show entryKey first, then entryValue. JSON has an object for it.
	table(f field, t table)
}

// presence is what a decoder knows about its input. An encoder has nothing and refuses nothing.
type presence interface {
	has(f field) bool
	refuse(f field, why string)
}

// record is a group of fields: a frame's body, or a part of it.
type record interface {
	fields(c coder)
}

// list is a sequence of records.
type list interface {
	size() int
	item(i int) record
	// extend adds an empty item, the first of about n.
	extend(n int) record
	limit() int
}

// table is a list in which each item has a key of its own.
type table interface {
	list
	key(i int) string
}

// field names one field in both encodings.
type field struct {
	num   protowire.Number
	name  string
	write emission
	part  tablePart
	limit uint64 // of a text its bytes, of a number its value; 0: none but the general one
}

// emission says when a zero value is written all the same.
type emission uint8

const (
	whenSet  emission = iota
	inJSON            // where the absence would mislead a reader
	explicit          // in both encodings: the presence itself means something
)

// tablePart says which half of a table's entry the field is.
type tablePart uint8

const (
	noPart tablePart = iota
	keyPart
	valuePart
)

func at(num protowire.Number, name string) field { return field{num: num, name: name} }

// always writes the field in JSON even when it is zero.
func (f field) always() field {
	f.write = inJSON
	return f
}

// explicitly writes the field in both encodings even when it is zero.
func (f field) explicitly() field {
	f.write = explicit
	return f
}

// atMost sets the field's own limit.
func (f field) atMost(limit uint64) field {
	f.limit = limit
	return f
}

// entryKey is the key of a table's entry, of at most limit bytes; 0 says nothing of its length.
func entryKey(limit uint64) field {
	return field{num: 1, name: "key", write: explicit, part: keyPart, limit: limit}
}

// entryValue is the value of a table's entry.
func entryValue(limit uint64) field {
	return field{num: 2, name: "value", write: explicit, part: valuePart, limit: limit}
}
