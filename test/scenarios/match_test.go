package scenarios_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// names are the values that placeholders stand for.
type names map[string]any

// padding stands for a string of that many letters x.
var padding = regexp.MustCompile(`"\$x([0-9]+)"`)

var quotedName = regexp.MustCompile(`"([a-z]+:)?\$[a-z][A-Za-z]*"`)

// expand puts the values in the place of their quoted names.
func (n names) expand(text string) (string, error) {
	text = padding.ReplaceAllStringFunc(text, func(s string) string {
		count, err := strconv.Atoi(s[3 : len(s)-1])
		if err != nil {
			return s
		}
		return `"` + strings.Repeat("x", count) + `"`
	})
	var failure error
	text = quotedName.ReplaceAllStringFunc(text, func(s string) string {
		prefix, name, prefixed := strings.Cut(strings.Trim(s, `"`), ":")
		if !prefixed {
			prefix, name = "", prefix
		}
		value, known := n[name]
		if !known {
			failure = fmt.Errorf("%s has no value yet", s)
			return s
		}
		if prefixed {
			value = fmt.Sprint(prefix, ":", value)
		}
		data, err := json.Marshal(value)
		if err != nil {
			failure = err
		}
		return string(data)
	})
	return text, failure
}

// match compares what came with a pattern, and returns the names with those that the pattern gave; n stays as it is.
func (n names) match(pattern, got string) (names, error) {
	if !strings.HasPrefix(pattern, "{") {
		if pattern != got {
			return nil, fmt.Errorf("got the text %q, want %q", got, pattern)
		}
		return n, nil
	}
	want, err := parseObject(pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern: %w", err)
	}
	have, err := parseObject(got)
	if err != nil {
		return nil, fmt.Errorf("got %q: %w", got, err)
	}
	given := names{}
	maps.Copy(given, n)
	if want["requestId"] == nil && have["requestId"] != nil {
		return nil, fmt.Errorf("requestId %v answers nothing that was asked; got %s", have["requestId"], got)
	}
	if err := given.object("", want, have); err != nil {
		return nil, fmt.Errorf("%w; got %s", err, got)
	}
	return given, nil
}

// object compares the members that the pattern names, and no others: fields may be added to the protocol.
func (n names) object(path string, want, have map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		compare := n.value
		if channel, _ := have["channel"].(string); key == "data" && !strings.HasPrefix(channel, "sys.") {
			compare = exactly // null is a payload, and what is carried is carried whole
		}
		if err := compare(path+key, want[key], have[key]); err != nil {
			return err
		}
	}
	if _, there := have["data"]; !there && want["data"] == nil {
		if _, asked := want["data"]; asked {
			return fmt.Errorf("%sdata is absent, want null", path)
		}
	}
	return nil
}

func (n names) value(path string, want, have any) error {
	switch want := want.(type) {
	case map[string]any:
		if have, ok := have.(map[string]any); ok {
			return n.object(path+".", want, have)
		}
	case []any:
		if have, ok := have.([]any); ok && len(have) == len(want) {
			for i := range want {
				if err := n.value(fmt.Sprintf("%s[%d]", path, i), want[i], have[i]); err != nil {
					return err
				}
			}
			return nil
		}
	case string:
		if have != nil && want == "*" {
			return nil
		}
		if have != nil && strings.HasPrefix(want, "$") {
			if known, ok := n[want]; ok {
				return exactly(path+" ("+want+")", known, have)
			}
			n[want] = have
			return nil
		}
		return exactly(path, want, have)
	default:
		return exactly(path, want, have)
	}
	return exactly(path, want, have)
}

// exactly compares whole values; numbers by their digits.
func exactly(path string, want, have any) error {
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(have)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		return fmt.Errorf("%s is %s, want %s", path, b, a)
	}
	return nil
}

func parseObject(text string) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the object")
	}
	return object, nil
}
