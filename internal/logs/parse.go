package logs

import (
	"encoding/json"
	"strings"
	"time"
)

// Defaults is what Parse may assume where a line does not tell. The zero value is right for a program on this
// machine.
type Defaults struct {
	// Service names whoever wrote the line. Where it is set, a logger's name is not taken for the service.
	Service string
	// Source becomes Record.Source.
	Source string
	// Location is the zone of times that are written without one; nil is time.Local.
	Location *time.Location
	// Now gives the year to times that are written without one: the one that puts them last before Now, a day's
	// difference between clocks allowed. Zero is the present.
	Now time.Time
	// MaxBytes bounds the record's JSON form; 0 is DefaultMaxBytes. See Record.Fit.
	MaxBytes int
}

// The limits of names taken out of a line. What is longer is not a name, and stays where it was.
const (
	maxServiceBytes = 128
	maxTraceBytes   = 128
)

// maxNested is how often a line may be wrapped in another (docker's json-file, a container runtime's stamps).
const maxNested = 2

// escapeGrowth is how many times longer a byte can become in JSON.
const escapeGrowth = 6

// Parse makes a record of a line, or of several lines that are one record, without the final newline. It keeps no
// reference to line. Any bytes will do; what is not recognised stays in the message.
func Parse(line []byte, defaults Defaults) Record {
	r := Record{Source: defaults.Source}
	p := parser{Record: &r, defaults: &defaults}
	p.line(string(line), line, maxNested)
	if r.Service == "" {
		r.Service = defaults.Service
	}
	limit := defaults.MaxBytes
	if limit == 0 {
		limit = DefaultMaxBytes
	}
	if (len(line)+len(r.Source)+len(r.Service))*escapeGrowth+1024 > limit {
		r.Fit(limit)
	}
	return r
}

// parser fills a record.
type parser struct {
	*Record
	defaults *Defaults
}

// line parses s, which is also at hand as bytes where raw is not nil.
func (p *parser) line(s string, raw []byte, nested int) {
	s = strings.TrimPrefix(s, "\uFEFF")
	if body := strings.TrimLeft(s, " \t"); body != "" && body[0] == '{' {
		if len(raw) != len(s) {
			raw = []byte(s)
		}
		if json.Valid(raw) {
			p.object(body, nested)
			return
		}
	}
	p.text(s, nested)
}

// setLevel takes word for the level if it is one. A word that says more than the level is kept as a field.
func (p *parser) setLevel(word string) bool {
	level, exact := ParseLevel(word)
	if level == LevelUnknown {
		return false
	}
	p.Level = level
	if !exact {
		p.addString("level", word)
	}
	return true
}

// setLogger notes who, inside a program, wrote the line; it is the service where nothing better is known.
func (p *parser) setLogger(name string) {
	if p.Service == "" && p.defaults.Service == "" && len(name) <= maxServiceBytes {
		p.Service = name
		return
	}
	p.addString("logger", name)
}

func (p *parser) addString(name, value string) {
	p.Fields = append(p.Fields, Field{Name: name, Value: string(appendString(nil, value))})
}

// addNumber adds digits as a number, or, where JSON would not have them as one (007), as a string.
func (p *parser) addNumber(name, digits string) {
	if len(digits) > 1 && digits[0] == '0' {
		p.addString(name, digits)
		return
	}
	p.Fields = append(p.Fields, Field{Name: name, Value: digits})
}

func (p *parser) location() *time.Location {
	if p.defaults.Location != nil {
		return p.defaults.Location
	}
	return time.Local
}

func (p *parser) now() time.Time {
	if p.defaults.Now.IsZero() {
		return time.Now()
	}
	return p.defaults.Now
}
