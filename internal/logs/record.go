package logs

import (
	"slices"
	"strconv"
	"time"
)

// DefaultMaxBytes bounds a record's JSON form so that it fits, with the frame around it (channel, message id, tags),
// into the 64 KiB that a frame may have.
const DefaultMaxBytes = 62 << 10

// minMaxBytes leaves room for what is never cut: names, ids, and the note of the cut.
const minMaxBytes = 8 << 10

// cutField is the name of the field that tells how many bytes of the line are missing.
const cutField = "truncated_bytes"

// Record is one log record. The strings of a parsed record share the memory of one copy of its line.
type Record struct {
	Timestamp time.Time // zero: the line has none, or not a whole one
	Level     Level
	Service   string
	Message   string
	TraceID   string
	Fields    []Field // everything else, in the order of the line
	Source    string  // where it was read: a path, or a name
	Cut       int     // how many bytes of the line are missing because it was too long
}

// Field is one further member of a record.
type Field struct {
	Name  string
	Value string // a JSON value, as it was written
}

// AppendJSON appends the record as one JSON object. The members come in one order and are left out when they have
// nothing to say, but for message, which is always there:
//
//	{"timestamp":"2026-11-20T10:00:00.123456Z","level":"warn","service":"order","message":"...","trace_id":"...","fields":{...},"source":"..."}
//
// A cut is told by the field truncated_bytes.
func (r *Record) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if !r.Timestamp.IsZero() {
		dst = append(dst, `"timestamp":"`...)
		dst = r.Timestamp.UTC().AppendFormat(dst, time.RFC3339Nano)
		dst = append(dst, `",`...)
	}
	if r.Level != LevelUnknown {
		dst = append(dst, `"level":"`...)
		dst = append(dst, r.Level.String()...)
		dst = append(dst, `",`...)
	}
	if r.Service != "" {
		dst = append(dst, `"service":`...)
		dst = appendString(dst, r.Service)
		dst = append(dst, ',')
	}
	dst = append(dst, `"message":`...)
	dst = appendString(dst, r.Message)
	if r.TraceID != "" {
		dst = append(dst, `,"trace_id":`...)
		dst = appendString(dst, r.TraceID)
	}
	dst = r.appendFields(dst)
	if r.Source != "" {
		dst = append(dst, `,"source":`...)
		dst = appendString(dst, r.Source)
	}
	return append(dst, '}')
}

func (r *Record) appendFields(dst []byte) []byte {
	if len(r.Fields) == 0 && r.Cut == 0 {
		return dst
	}
	dst = append(dst, `,"fields":{`...)
	for i := range r.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, r.Fields[i].Name)
		dst = append(dst, ':')
		dst = appendRaw(dst, r.Fields[i].Value)
	}
	if r.Cut > 0 {
		if len(r.Fields) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `"`+cutField+`":`...)
		dst = strconv.AppendInt(dst, int64(r.Cut), 10)
	}
	return append(dst, '}')
}

// Fit cuts the record so that its JSON form has at most limit bytes (at least 8 KiB; 0 is [DefaultMaxBytes]): first
// the message, down to half of the limit, then the longest fields. What goes is counted in Cut.
func (r *Record) Fit(limit int) {
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	limit = max(limit, minMaxBytes)
	size := len(r.AppendJSON(nil))
	if size <= limit {
		return
	}
	size += len(`,"fields":{},"`+cutField+`":`) + 20 // the note, and a number of any length
	r.Service = r.cutTo(r.Service, limit/16, &size)
	r.TraceID = r.cutTo(r.TraceID, limit/16, &size)
	r.Source = r.cutTo(r.Source, limit/8, &size)
	if size > limit {
		message := escapedLen(r.Message)
		r.Message = r.cutTo(r.Message, max(message-(size-limit), limit/2), &size)
	}
	r.Fields = slices.Clone(r.Fields) // the caller may hold the same slice in another record
	for size > limit && len(r.Fields) > 0 {
		longest := 0
		for i := range r.Fields {
			if r.Fields[i].len() > r.Fields[longest].len() {
				longest = i
			}
		}
		field := r.Fields[longest]
		r.Cut += field.len()
		size -= escapedLen(field.Name) + len(appendRaw(nil, field.Value)) + len(`"":`)
		r.Fields = slices.Delete(r.Fields, longest, longest+1)
	}
}

func (f Field) len() int { return len(f.Name) + len(f.Value) }

// cutTo cuts s to at most limit bytes of its escaped form, and counts what went in r.Cut and off size.
func (r *Record) cutTo(s string, limit int, size *int) string {
	before := escapedLen(s)
	if before <= limit {
		return s
	}
	kept := prefixThatFits(s, limit)
	r.Cut += len(s) - len(kept)
	*size -= before - escapedLen(kept)
	return kept
}

func escapedLen(s string) int { return len(appendEscaped(nil, s)) }
