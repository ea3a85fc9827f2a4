package bench

import (
	"slices"

	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// viewer checks what one line is given that views a channel through a filter: of what was published for the filter each
// message once and in order, and nothing else; and that the server tells each time from where it went on.
type viewer struct {
	filter int
	reader reader // of the filter's matches: the first of them is 1
	at     uint64 // its position: the offset of the last message, or what the server said after it
	passed int    // of the matches, those up to the last gap
	told   uint64 // matches that the server said it could not deliver
}

// take checks the message with that sequence number, and reports whether it is one that was to come and had not.
func (w *viewer) take(v *views, sequence uint64, e target.Event) bool {
	w.follow(v, v.base+sequence, e)
	matches := v.matches[w.filter]
	i := int(w.reader.last) // of the next one
	if i >= len(matches) || matches[i] != sequence {
		var found bool
		if i, found = slices.BinarySearch(matches, sequence); !found {
			v.faults.Crossed++
			return false
		}
	}
	return w.reader.take(uint64(i+1), 0, &v.faults)
}

// follow checks where a message stands, and from where the server says that it goes on to it. One that is not beyond the
// position came late or again, which the reader tells.
func (w *viewer) follow(v *views, offset uint64, e target.Event) {
	switch {
	case e.Offset != offset:
		v.faults.Misplaced++
	case offset <= w.at:
		return
	case e.Prev == 0 && offset != w.at+1, e.Prev != 0 && e.Prev != w.at:
		v.faults.Misplaced++
	}
	w.at = max(w.at, offset)
}

// moved checks what the server says was passed over: nothing that was for this line.
func (w *viewer) moved(v *views, to uint64) {
	matches := v.matches[w.filter]
	next := max(int(w.reader.last), w.passed)
	if to < w.at || to > v.base+v.published || next < len(matches) && v.base+matches[next] <= to {
		v.faults.Misplaced++
	}
	w.at = max(w.at, to)
}

// missed moves on behind a gap, which begins where the viewer is. That it has lost what was for it there, its reader finds.
func (w *viewer) missed(v *views, gap target.Gap) {
	if gap.From != w.at+1 || gap.To < gap.From {
		v.faults.Misplaced++
	}
	matches := v.matches[w.filter]
	first, _ := slices.BinarySearch(matches, max(gap.From, w.at+1)-v.base)
	behind, _ := slices.BinarySearch(matches, gap.To+1-v.base)
	w.told += uint64(max(behind-first, 0))
	w.passed = max(w.passed, behind)
	w.at = max(w.at, gap.To)
}
