package bench

// Faults are what must not happen to messages, calls among them. Every one of them was seen, none is assumed.
type Faults struct {
	Lost       uint64 `json:"lost"`       // published and not delivered to somebody who had subscribed
	Duplicated uint64 `json:"duplicated"` // delivered again
	Reordered  uint64 `json:"reordered"`  // delivered after a later message of the channel
	Misplaced  uint64 `json:"misplaced"`  // with an offset that does not follow the one before, where the server counts
	Crossed    uint64 `json:"crossed"`    // calls, answers and messages that came to somebody they are not for, or with what belongs to another call
	Unreadable uint64 `json:"unreadable"` // with a payload that was not published by this run
	Refused    uint64 `json:"refused"`    // the server answered with an error
	Broken     uint64 `json:"broken"`     // lines that the server, or something between, closed
}

// Sum is the number of all faults together.
func (f Faults) Sum() uint64 {
	return f.Lost + f.Duplicated + f.Reordered + f.Misplaced + f.Crossed + f.Unreadable + f.Refused + f.Broken
}

// memory is how far back a late message is told from one that comes again: bits of a word.
const memory = 64

// reader checks what one subscriber is given. Its zero value expects the first message of a channel.
type reader struct {
	last    uint64 // the greatest sequence number seen
	missing uint64 // bit i: the message last-i has not been seen
	offset  uint64 // the server's, of the last message; 0 where it does not count
}

// take notes a message and reports whether it is seen for the first time.
func (r *reader) take(sequence, offset uint64, f *Faults) (first bool) {
	if offset != 0 {
		if r.offset != 0 && offset != r.offset+1 {
			f.Misplaced++
		}
		r.offset = offset
	}
	if sequence > r.last {
		r.advance(sequence - r.last)
		f.Lost += sequence - r.last - 1
		r.last = sequence
		return true
	}
	bit := uint64(1) << (r.last - sequence)
	if r.missing&bit == 0 { // also what is too far back to be known: a shift by that much leaves no bit
		f.Duplicated++
		return false
	}
	r.missing &^= bit
	f.Lost--
	f.Reordered++
	return true
}

// advance moves on by so many messages, of which only the last has been seen.
func (r *reader) advance(by uint64) {
	if by >= memory {
		r.missing = ^uint64(1)
		return
	}
	r.missing = r.missing<<by | (1<<by - 2)
}

// finish counts what never came, when so many messages were published.
func (r *reader) finish(published uint64, f *Faults) {
	if published > r.last {
		f.Lost += published - r.last
	}
}
