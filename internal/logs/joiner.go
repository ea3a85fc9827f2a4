package logs

import (
	"bytes"
	"time"
)

// The limits of a text, and how long a Joiner waits.
const (
	// MaxLineBytes is how much of a line is kept: what does not fit into a frame anyway is not worth the memory.
	MaxLineBytes = 64 << 10
	// MaxJoinedLines ends a stack trace that does not end by itself.
	MaxJoinedLines = 256
	// JoinWait is how long a plain line waits for another that continues it.
	JoinWait = 100 * time.Millisecond
	// PartialWait is how long the beginning of a line waits for its newline.
	PartialWait = 3 * time.Second
)

// Text is the bytes of one record in a stream. Bytes are valid until the next call of the Joiner.
type Text struct {
	Bytes  []byte
	Offset int64 // of the first byte in the stream
	Length int64 // in the stream, with newlines and what was cut
	Cut    int   // bytes that are missing at the end because the line was too long
}

// Joiner cuts a stream into the texts of records: lines, each with the lines that continue it. A line continues the
// one before if it begins with white space, "Caused by:" or "... n more", or names a JVM's exception; JSON lines are never continued.
// Empty lines are left out. A Joiner is for one goroutine at a time, and its zero value is ready at offset 0.
type Joiner struct {
	buf    []byte
	start  int       // buf[start:] was not given out yet
	offset int64     // of buf[start] in the stream
	seen   int       // buf[seen:] was not searched for a newline yet; start <= joined <= seen
	joined int       // buf[start:joined] is a line, with those that continue it, that may be continued further
	lines  int       // in buf[start:joined]
	cut    int       // bytes that are missing between the end of buf and the stream: the line is too long
	last   time.Time // when bytes came last
}

// NewJoiner makes a Joiner for a stream of which the first offset bytes are not given to it.
func NewJoiner(offset int64) *Joiner { return &Joiner{offset: offset} }

// Write adds the stream's next bytes, which came at the time now. It keeps no reference to p.
func (j *Joiner) Write(p []byte, now time.Time) {
	j.last = now
	if j.start > 0 {
		n := copy(j.buf, j.buf[j.start:])
		j.buf = j.buf[:n]
		j.seen -= j.start
		j.joined -= j.start
		j.start = 0
	}
	if j.cut > 0 { // in the middle of a line that is too long
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			j.cut += len(p)
			return
		}
		j.cut += end
		p = p[end:]
	}
	if j.seen == 0 && len(j.buf) == 0 {
		// A writer that kept its offset while the file was truncated leaves a hole, which reads as NULs.
		rest := bytes.TrimLeft(p, "\x00")
		j.offset += int64(len(p) - len(rest))
		p = rest
	}
	j.buf = append(j.buf, p...)
}

// Next gives the next text that is complete at the time now.
func (j *Joiner) Next(now time.Time) (Text, bool) {
	for {
		newline := -1
		if j.seen < len(j.buf) {
			newline = bytes.IndexByte(j.buf[j.seen:], '\n')
		}
		if newline < 0 {
			j.seen = len(j.buf)
			return j.waiting(now)
		}
		end := j.seen + newline + 1
		line := j.buf[j.joined:end]
		if j.joined > j.start && (!continues(line) || j.lines >= MaxJoinedLines || end-j.start > MaxLineBytes) {
			return j.take(j.joined), true // the line stays for the next call
		}
		j.seen = end
		j.joined = end
		j.lines++
		switch {
		case len(bytes.TrimRight(line, "\r\n")) == 0 && j.cut == 0:
			j.take(end)
		case j.cut > 0 || !continuable(line):
			return j.take(end), true
		}
	}
}

// waiting decides about what stands at the end of the stream: a text that may be continued, and the beginning of a
// line.
func (j *Joiner) waiting(now time.Time) (Text, bool) {
	partial := len(j.buf) - j.joined
	quiet := now.Sub(j.last)
	switch {
	case j.joined > j.start && (quiet >= JoinWait || partial > MaxLineBytes):
		return j.take(j.joined), true
	case j.joined > j.start || partial == 0:
		return Text{}, false
	case quiet >= PartialWait:
		return j.take(len(j.buf)), true
	case partial > MaxLineBytes:
		j.cut += partial - MaxLineBytes
		j.buf = j.buf[:j.start+MaxLineBytes]
		j.seen = len(j.buf)
	}
	return Text{}, false
}

// Flush gives what Next still waits with, as if nothing more will come; call it until it gives nothing.
func (j *Joiner) Flush() (Text, bool) {
	if text, ok := j.Next(j.last.Add(PartialWait)); ok {
		return text, true
	}
	return Text{}, false
}

// Waits reports whether Next may give something only because time passed.
func (j *Joiner) Waits() bool { return len(j.buf) > j.start }

// Offset is where the stream stands, counted in bytes: all before it was given out, or is no text.
func (j *Joiner) Offset() int64 { return j.offset }

// take gives out buf[start:end].
func (j *Joiner) take(end int) Text {
	raw := j.buf[j.start:end]
	text := Text{Bytes: bytes.TrimRight(raw, "\r\n"), Offset: j.offset, Length: int64(len(raw) + j.cut), Cut: j.cut}
	if excess := len(text.Bytes) - MaxLineBytes; excess > 0 {
		text.Bytes = text.Bytes[:MaxLineBytes]
		text.Cut += excess
	}
	j.offset += text.Length
	j.cut = 0
	j.lines = 0
	j.start = end
	j.joined = end
	j.seen = max(j.seen, end)
	if j.start == len(j.buf) {
		j.release()
	}
	return text
}

// release forgets a buffer that is empty; one that grew large is given back, for there may be hundreds. The text
// just taken still refers to the old memory, which is not written before the next Write.
func (j *Joiner) release() {
	const keep = 16 << 10
	if cap(j.buf) > keep {
		j.buf = nil
	} else {
		j.buf = j.buf[:0]
	}
	j.start, j.joined, j.seen = 0, 0, 0
}

// continues reports whether a line belongs to the record before.
func continues(line []byte) bool {
	return line[0] == ' ' || line[0] == '\t' || bytes.HasPrefix(line, []byte("Caused by:")) || bytes.HasPrefix(line, []byte("... ")) ||
		beginsTrace(line)
}

// beginsTrace reports whether a line names an exception of the JVM, as the line before a stack trace does: dotted words,
// the last of which ends in Exception, Error or Throwable.
func beginsTrace(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, "\r\n")
	if !bytes.HasSuffix(name, []byte("Exception")) && !bytes.HasSuffix(name, []byte("Error")) && !bytes.HasSuffix(name, []byte("Throwable")) {
		return false
	}
	const words = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._$"
	return bytes.IndexByte(name, '.') > 0 && len(bytes.Trim(name, words)) == 0
}

// continuable reports whether another line may belong to this one: not to a JSON object.
func continuable(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] != '{' || line[len(line)-1] != '}'
}
