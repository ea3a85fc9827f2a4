package filter

// The bounds of a filter. A filter is written by a person or put together by a page; what is beyond them is a mistake
// or an attack, and is refused before it costs anything.
const (
	// MaxBytes bounds the text. A screen of text is less; and a text is kept, as a key, for as long as somebody uses it.
	MaxBytes = 4 << 10
	// MaxDepth bounds parentheses and negations inside each other, which parsing and matching follow by recursion.
	MaxDepth = 64
	// MaxTerms bounds the conditions, each of which may look at the whole payload.
	MaxTerms = 256
	// MaxNameBytes bounds the name of a field: as much as a key may have.
	MaxNameBytes = 255
	// MaxRegexpSize bounds the regular expressions of a filter, together, in instructions of their automata. Repetitions
	// multiply: (a{30}){30} has 900. RE2 takes no more steps for a byte than there are instructions, and with
	// MaxRegexpText that bounds a match to some 4 million.
	MaxRegexpSize = 256
	// MaxRegexpBytes bounds the text of one of them: what is longer is too large in instructions too, but for long classes
	// such as [abc...], and need not be parsed.
	MaxRegexpBytes = 1 << 10
	// MaxRegexpText bounds how much of a value regular expressions see, in bytes. Log lines are shorter, and a
	// payload of a megabyte must not hold up the channel.
	MaxRegexpText = 16 << 10
)

// maxScratch bounds what a program keeps, from message to message, for texts that had to be copied.
const maxScratch = 64 << 10
