package filter

import "strings"

// place is where in a message a field lies.
type place uint8

const (
	placePayload   place = iota // in the JSON payload alone
	placeTagFirst               // in the tag of that name or, without it, in the JSON payload
	placeTag                    // in a tag
	placeMeta                   // in an entry of meta
	placeKey                    // the message's key
	placePublisher              // its publisher
	placeMessageID              // its id
	placeText                   // what people read of the payload
)

// field is what a name stands for. It is asked for by its index in the program.
type field struct {
	name  string
	place place
	key   string // of the tag or the entry of meta
}

// The prefixes of names that say where a field lies.
const (
	tagsPrefix   = "tags."
	metaPrefix   = "meta."
	dataPrefix   = "data."
	fieldsMember = "fields" // of a log record: all that it has no place of its own for
	textMember   = "message"
)

// textName is the name of what people read. No field can be called that.
const textName = ""

// locate finds out what a name stands for.
func locate(name string) field {
	if key, ok := strings.CutPrefix(name, tagsPrefix); ok {
		return field{name: name, place: placeTag, key: key}
	}
	if key, ok := strings.CutPrefix(name, metaPrefix); ok {
		return field{name: name, place: placeMeta, key: key}
	}
	switch name {
	case "key":
		return field{name: name, place: placeKey}
	case "publisher":
		return field{name: name, place: placePublisher}
	case "messageId":
		return field{name: name, place: placeMessageID}
	case "level", "service":
		return field{name: name, place: placeTagFirst, key: name}
	case textName:
		return field{name: name, place: placeText}
	}
	return field{name: name, place: placePayload}
}

// inPayload reports whether the payload has to be walked for the field.
func (f *field) inPayload() bool {
	return f.place == placePayload || f.place == placeTagFirst || f.place == placeText
}

// paths are the places in a JSON payload where the field may lie, the best one first: under its name as it is, then along
// its words, since some write {"http.status":200} and some {"http":{"status":200}}; at the top before "fields".
func (f *field) paths() [][]string {
	if f.place == placeText {
		return [][]string{{textMember}}
	}
	name, atTop := strings.CutPrefix(f.name, dataPrefix)
	name, inFields := strings.CutPrefix(name, fieldsMember+".")
	var paths [][]string
	for _, path := range [...][]string{{name}, strings.Split(name, ".")} {
		if !inFields {
			paths = append(paths, path)
		}
		if inFields || !atTop {
			paths = append(paths, append([]string{fieldsMember}, path...))
		}
		if !strings.Contains(name, ".") {
			break // both ways are the same
		}
	}
	return paths
}

// isLevel reports whether the values of a field are the levels of log records, as its last word tells.
func isLevel(name string) bool { return name == "level" || strings.HasSuffix(name, ".level") }

// levels are the names of the levels, from the least grave on.
var levels = [...]string{"trace", "debug", "info", "warn", "error", "fatal"}

// levelRank is the place of a level in their order, from 1 on, or 0 for what is none. The text is in lower case.
func levelRank[S string | []byte](text S) int {
	for i, level := range levels {
		if string(text) == level {
			return i + 1
		}
	}
	return 0
}

// branch is a place on the way to fields in a JSON payload: an object, or a value in one.
type branch struct {
	members map[string]*branch
	lengths uint64 // a bit for each length of a member's name, so that most others are passed over without a look-up
	here    []claim
}

// claim says that a value is that of a field, unless the field is found at a place of lower rank.
type claim struct {
	field int
	rank  uint8
}

// add makes a field known at all of its paths.
func (b *branch) add(index int, f *field) {
	for rank, path := range f.paths() {
		at := b
		for _, word := range path {
			at = at.grow(word)
		}
		at.here = append(at.here, claim{field: index, rank: uint8(rank)})
	}
}

func (b *branch) grow(name string) *branch {
	if b.members == nil {
		b.members = map[string]*branch{}
	}
	next := b.members[name]
	if next == nil {
		next = &branch{}
		b.members[name] = next
		b.lengths |= lengthBit(len(name))
	}
	return next
}

// member is the branch of that name, or nil.
func (b *branch) member(name []byte) *branch {
	if b.lengths&lengthBit(len(name)) == 0 {
		return nil
	}
	return b.members[string(name)]
}

func lengthBit(n int) uint64 { return 1 << min(n, 63) }
