package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of lists. That of text is also how many patterns a list of rights may have, each of which may be tried for
// each message.
const (
	maxTexts = 256
	maxItems = 1000
)

// decoder holds what reading one source needs.
type decoder struct {
	problems problems
	places   places
	secrets  func(text string) (string, error) // resolves ${ENV:NAME} and file:path
	folder   string                            // of the configuration, where the paths in it begin
}

// section reads the keys of one mapping. Its readers leave the target as it is where the key is absent or its value is
// refused; what is wrong goes to the decoder's problems.
type section struct {
	*decoder
	path  string // of the mapping, with a last dot; empty for the whole file
	value *value
	known []string // the keys that were asked for
}

// within reads a mapping with read, and then reports the keys nobody asked for.
func (d *decoder) within(path string, v *value, read func(*section)) {
	if v.kind != kindMapping && v.kind != kindNone {
		// The value itself stays unsaid: it may be a secret that stands one level too high.
		d.problems.add(v.at, path, "found %s: expected %s", v.kind, kindMapping)
		return
	}
	s := &section{decoder: d, value: v}
	if path != "" {
		s.path = path + "."
	}
	read(s)
	for _, f := range v.fields {
		if slices.Contains(s.known, f.key) {
			continue
		}
		hint := "expected one of " + strings.Join(s.known, ", ")
		if near := nearest(f.key, s.known); near != "" {
			hint = "did you mean " + near + "?"
		}
		name := strconv.Quote(shorten(f.key))
		d.problems.add(f.at, s.path+name[1:len(name)-1], "unknown key: %s", hint)
	}
}

// find returns the value of key, or nil, and makes the key known.
func (s *section) find(key string) *value {
	s.known = append(s.known, key)
	for _, f := range s.value.fields {
		if f.key == key {
			s.places[s.path+key] = f.at
			return f.value
		}
	}
	return nil
}

// refuse notes what is wrong with the value of key.
func (s *section) refuse(key string, v *value, expected string) {
	s.problems.add(v.at, s.path+key, "found %s: %s", v.shown(), expected)
}

func (s *section) section(key string, read func(*section)) {
	if v := s.find(key); v != nil {
		s.within(s.path+key, v, read)
	}
}

// items reads a list of mappings.
func (s *section) items(key string, read func(*section)) {
	v := s.find(key)
	if v == nil || !s.isList(key, v, maxItems) {
		return
	}
	for i, item := range v.list {
		path := fmt.Sprintf("%s%s[%d]", s.path, key, i)
		s.places[path] = item.at
		s.within(path, item, read)
	}
}

func (s *section) isList(key string, v *value, most int) bool {
	switch {
	case v.kind != kindList && v.kind != kindNone:
		s.refuse(key, v, "expected a list")
	case len(v.list) > most:
		s.problems.add(v.at, s.path+key, "found %d items: expected at most %d", len(v.list), most)
	default:
		return true
	}
	return false
}

// texts reads a list of text, each item of which must pass check.
func (s *section) texts(key string, into *[]string, check func(string) error) {
	v := s.find(key)
	if v == nil || !s.isList(key, v, maxTexts) {
		return
	}
	var list []string // nil when empty, as in [Default]
	for i, item := range v.list {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch err := check(item.text); {
		case err != nil:
			s.refuse(at, item, err.Error())
		case item.kind != kindText:
			s.refuse(at, item, "expected text in quotes")
		default:
			list = append(list, item.text)
		}
	}
	*into = list
}

// text reads text that must pass check.
func (s *section) text(key string, into *string, check func(string) error) {
	v := s.find(key)
	if v == nil {
		return
	}
	switch err := check(v.text); {
	case err != nil:
		s.refuse(key, v, err.Error())
	case v.kind == kindText:
		*into = v.text
	case v.kind == kindBool || v.kind == kindInteger || v.kind == kindFloat:
		s.refuse(key, v, "expected text: put it in quotes")
	default:
		s.refuse(key, v, "expected text")
	}
}

// file reads the path of a file. One that is not absolute begins where the configuration is, or, in a variable of the
// environment, where the process was started.
func (s *section) file(key string, into *string) {
	before := *into
	s.text(key, into, anyText)
	if at := s.places[s.path+key]; *into != before && *into != "" && at.line > 0 && !filepath.IsAbs(*into) {
		*into = filepath.Join(s.folder, *into)
	}
}

// choice reads one of a few words.
func (s *section) choice(key string, into *string, allowed ...string) {
	v := s.find(key)
	switch {
	case v == nil:
	case v.kind == kindText && slices.Contains(allowed, v.text):
		*into = v.text
	default:
		expected := "expected " + strings.Join(allowed[:len(allowed)-1], ", ") + " or " + allowed[len(allowed)-1]
		if near := nearest(v.text, allowed); near != "" {
			expected += "; did you mean " + near + "?"
		}
		s.refuse(key, v, expected)
	}
}

func (s *section) flag(key string, into *bool) {
	v := s.find(key)
	switch {
	case v == nil:
	case v.kind == kindBool:
		*into = v.text == "true"
	default:
		s.refuse(key, v, "expected true or false")
	}
}

// count reads a whole number from least to most.
func (s *section) count(key string, into *int, least, most int) {
	v := s.find(key)
	if v == nil {
		return
	}
	n, err := strconv.Atoi(v.text)
	if v.kind != kindInteger || err != nil || n < least || n > most {
		s.refuse(key, v, fmt.Sprintf("expected a whole number from %d to %d", least, most))
		return
	}
	*into = n
}

// size reads a number of bytes from least to most, with or without a unit.
func (s *section) size(key string, into *Size, least, most Size) {
	v := s.find(key)
	if v == nil {
		return
	}
	n, err := parseSize(v.text)
	if v.kind != kindInteger && v.kind != kindText || err != nil || n < least || n > most {
		s.refuse(key, v, fmt.Sprintf("expected a size from %s to %s, in B, KiB, MiB or GiB", least, most))
		return
	}
	*into = n
}

// duration reads a time with its unit from least to most.
func (s *section) duration(key string, into *time.Duration, least, most time.Duration) {
	v := s.find(key)
	if v == nil {
		return
	}
	d, err := time.ParseDuration(v.text)
	if v.kind != kindInteger && v.kind != kindText || err != nil || d < least || d > most {
		s.refuse(key, v, fmt.Sprintf("expected a duration from %s to %s, with its unit: 500ms, 30s, 10m, 24h", showDuration(least), showDuration(most)))
		return
	}
	*into = d
}

// secret reads a secret that must pass check. Nothing of its value is ever repeated.
func (s *section) secret(key string, into *Secret, check func(string) error) {
	v := s.find(key)
	if v == nil {
		return
	}
	if v.kind != kindText {
		s.problems.add(v.at, s.path+key, "found %s: expected a secret in quotes, ${ENV:NAME} or file:path", v.kind)
		return
	}
	plain, err := s.secrets(v.text)
	if err == nil {
		err = check(plain)
	}
	if err != nil {
		s.problems.add(v.at, s.path+key, "%s", err)
		return
	}
	*into = NewSecret(plain)
}

// hash reads 64 hex digits.
func (s *section) hash(key string, into *KeyHash) {
	v := s.find(key)
	if v == nil {
		return
	}
	raw, err := hex.DecodeString(v.text)
	if v.kind != kindText || err != nil || len(raw) != sha256.Size {
		s.problems.add(v.at, s.path+key, "found %s: expected the SHA-256 of the key as %d hex digits in quotes", v.kind, 2*sha256.Size)
		return
	}
	copy(into[:], raw)
}

// shown describes a value in a message.
func (v *value) shown() string {
	switch v.kind {
	case kindBool, kindInteger, kindFloat:
		return shorten(v.text)
	case kindText:
		return strconv.Quote(shorten(v.text))
	default:
		return v.kind.String()
	}
}

// shorten keeps a message on one line.
func shorten(text string) string {
	const shown = 60
	if len(text) <= shown {
		return text
	}
	return strings.ToValidUTF8(text[:shown], "") + "..."
}

// showDuration leaves out the zero parts that time.Duration prints: 24h for 24h0m0s.
func showDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
