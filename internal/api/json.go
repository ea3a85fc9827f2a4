package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// The JSON of the service's messages is that of the frames: names in lowerCamelCase, numbers as numbers, and of a payload
// the JSON as it is. It is read off the messages' descriptors, so that a new message needs no line here.
//
//   - A field of bytes is a JSON value, whose bytes are carried untouched; the one that is called bytes is base64, and
//     called so in JSON.
//   - Lists, and numbers, strings and flags that are not optional, are always written; whatever else is empty is left out.
//   - Fields that are not known are passed over, and null says what absence says, but as a payload.

// AppendJSON appends a message of the service as JSON.
func AppendJSON(dst []byte, m proto.Message) ([]byte, error) {
	return appendMessage(dst, m.ProtoReflect())
}

func appendMessage(dst []byte, m protoreflect.Message) (_ []byte, err error) {
	dst = append(dst, '{')
	fields := m.Descriptor().Fields()
	for i, first := 0, true; i < fields.Len(); i++ {
		f := fields.Get(i)
		if mayLack(f) && !m.Has(f) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(strconv.AppendQuote(dst, nameOf(f)), ':')
		switch value := m.Get(f); {
		case f.IsList():
			dst, err = appendList(dst, f, value.List())
		case f.IsMap():
			dst, err = appendMap(dst, f, value.Map())
		default:
			dst, err = appendValue(dst, f, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// nameOf is what a field is called in JSON.
func nameOf(f protoreflect.FieldDescriptor) string {
	if isBase64(f) {
		return "base64"
	}
	return f.JSONName()
}

func isBase64(f protoreflect.FieldDescriptor) bool {
	return f.Kind() == protoreflect.BytesKind && f.Name() == "bytes"
}

// mayLack reports whether a field is left out where it says nothing.
func mayLack(f protoreflect.FieldDescriptor) bool {
	return f.HasPresence() || f.IsMap() || f.Kind() == protoreflect.BytesKind
}

func appendList(dst []byte, f protoreflect.FieldDescriptor, list protoreflect.List) (_ []byte, err error) {
	dst = append(dst, '[')
	for i := range list.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, f, list.Get(i)); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap writes the entries in the order of their keys, which are strings.
func appendMap(dst []byte, f protoreflect.FieldDescriptor, entries protoreflect.Map) (_ []byte, err error) {
	values := make(map[string]protoreflect.Value, entries.Len())
	entries.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		values[key.String()] = value
		return true
	})
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		if dst, err = appendValue(dst, f.MapValue(), values[key]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendValue(dst []byte, f protoreflect.FieldDescriptor, value protoreflect.Value) ([]byte, error) {
	switch v := value.Interface().(type) {
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case string:
		return appendText(dst, v), nil
	case []byte:
		if isBase64(f) {
			return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v), '"'), nil
		}
		if !json.Valid(v) {
			return nil, fmt.Errorf("api: %s is no JSON", f.FullName())
		}
		return append(dst, v...), nil
	case protoreflect.Message:
		return appendMessage(dst, v)
	}
	return nil, fmt.Errorf("api: %s is of a kind that has no JSON here", f.FullName())
}

func appendText(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		panic(err) // there is no string that could not be written
	}
	return append(dst, quoted...)
}

// unmarshalJSON reads a message of the service, which is empty. Its errors name the field by its path.
func unmarshalJSON(data []byte, m proto.Message) error {
	if !utf8.Valid(data) {
		return errors.New("the request is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("the request is not JSON: %w at byte %d", bad, bad.Offset)
		}
		return errors.New("the request is not JSON")
	}
	return readMessage("", whole, m.ProtoReflect())
}

// readMessage reads the object at path of the request.
func readMessage(path string, data json.RawMessage, m protoreflect.Message) error {
	members, err := membersOf(path, data)
	if err != nil {
		return err
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value, ok := members[nameOf(f)]
		if !ok || isNull(value) && !isRaw(f) {
			continue
		}
		at := join(path, nameOf(f))
		if choice := f.ContainingOneof(); choice != nil {
			if other := m.WhichOneof(choice); other != nil {
				return fmt.Errorf("%s and %s exclude each other", join(path, nameOf(other)), at)
			}
		}
		switch {
		case f.IsList():
			err = readList(at, value, f, m.Mutable(f).List())
		case f.IsMap():
			err = readMap(at, value, f, m.Mutable(f).Map())
		case f.Message() != nil:
			err = readMessage(at, value, m.Mutable(f).Message())
		default:
			var v protoreflect.Value
			if v, err = readScalar(at, value, f); err == nil {
				m.Set(f, v)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isRaw reports whether a field is carried as the JSON that it is.
func isRaw(f protoreflect.FieldDescriptor) bool {
	return f.Kind() == protoreflect.BytesKind && !isBase64(f)
}

func isNull(value json.RawMessage) bool { return value[0] == 'n' }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// maxMembers bounds the members of one object, unknown ones included, and the items of a list.
const maxMembers = 1024

// membersOf takes an object apart. A name that stands twice is refused: readers would not agree on which one counts.
func membersOf(path string, data json.RawMessage) (map[string]json.RawMessage, error) {
	if data[0] != '{' {
		return nil, wrong(path, data, "an object")
	}
	members := make(map[string]json.RawMessage)
	d := json.NewDecoder(bytes.NewReader(data))
	_, _ = d.Token() // the brace; what follows was found to be JSON before
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := name.(string) //nolint:forcetypeassert // of an object, every other token is a name
		if _, twice := members[key]; twice {
			return nil, fmt.Errorf("%s stands there twice", join(path, shown(key)))
		}
		if len(members) == maxMembers {
			return nil, fmt.Errorf("%s has more than %d fields", orRequest(path), maxMembers)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[key] = value
	}
	return members, nil
}

func readList(path string, data json.RawMessage, f protoreflect.FieldDescriptor, list protoreflect.List) error {
	if data[0] != '[' {
		return wrong(path, data, "an array")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	_, _ = d.Token() // the bracket; what follows was found to be JSON before
	for i := 0; d.More(); i++ {
		if i == maxMembers {
			return fmt.Errorf("%s has more than %d items", path, maxMembers)
		}
		var item json.RawMessage
		if err := d.Decode(&item); err != nil {
			return err
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		if f.Message() != nil {
			if err := readMessage(at, item, list.AppendMutable().Message()); err != nil {
				return err
			}
			continue
		}
		value, err := readScalar(at, item, f)
		if err != nil {
			return err
		}
		list.Append(value)
	}
	return nil
}

func readMap(path string, data json.RawMessage, f protoreflect.FieldDescriptor, entries protoreflect.Map) error {
	members, err := membersOf(path, data)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		at := join(path, shown(key))
		name := protoreflect.ValueOfString(key).MapKey()
		if f.MapValue().Message() != nil {
			if err := readMessage(at, members[key], entries.Mutable(name).Message()); err != nil {
				return err
			}
			continue
		}
		value, err := readScalar(at, members[key], f.MapValue())
		if err != nil {
			return err
		}
		entries.Set(name, value)
	}
	return nil
}

// readScalar reads what is neither a list, nor a table, nor an object.
func readScalar(path string, data json.RawMessage, f protoreflect.FieldDescriptor) (none protoreflect.Value, err error) {
	switch f.Kind() { //nolint:exhaustive // those that messages of the service have
	case protoreflect.BoolKind:
		if first := data[0]; first != 't' && first != 'f' {
			return none, wrong(path, data, "true or false")
		}
		return protoreflect.ValueOfBool(data[0] == 't'), nil
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return readNumber(path, data, f.Kind())
	case protoreflect.BytesKind:
		if isRaw(f) {
			return protoreflect.ValueOfBytes(data), nil
		}
		text, err := readText(path, data)
		if err != nil {
			return none, err
		}
		decoded, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder of the library passes over line breaks
			return none, fmt.Errorf("%s is not base64: expected the standard alphabet with padding", path)
		}
		return protoreflect.ValueOfBytes(decoded), nil
	case protoreflect.StringKind:
		text, err := readText(path, data)
		return protoreflect.ValueOfString(text), err
	}
	return none, fmt.Errorf("api: %s is of a kind that has no JSON here", f.FullName())
}

func readText(path string, data json.RawMessage) (text string, err error) {
	if data[0] != '"' {
		return "", wrong(path, data, "a string")
	}
	return text, json.Unmarshal(data, &text)
}

// readNumber reads a whole number that is exact in every reader of JSON. 1e3 and 1.0 are refused although they are whole:
// parsers differ in how exactly they read them.
func readNumber(path string, data json.RawMessage, kind protoreflect.Kind) (none protoreflect.Value, err error) {
	const expected = "a whole number"
	n, err := strconv.ParseInt(string(data), 10, 64)
	switch {
	case err != nil && errors.Is(err, strconv.ErrRange), n > int64(wire.MaxOffset), n < -int64(wire.MaxOffset):
		return none, fmt.Errorf("%s is too large: expected %s below 2^53", path, expected)
	case err != nil:
		return none, wrong(path, data, expected+" in digits alone")
	case kind == protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(n), nil
	case n < 0:
		return none, fmt.Errorf("%s is negative: expected %s", path, expected)
	}
	return protoreflect.ValueOfUint64(uint64(n)), nil
}

// wrong says that the value at path is not of the kind that is expected there.
func wrong(path string, data json.RawMessage, expected string) error {
	what := "a number"
	switch data[0] {
	case '{':
		what = "an object"
	case '[':
		what = "an array"
	case '"':
		what = "a string"
	case 't', 'f', 'n':
		what = string(data)
	}
	return fmt.Errorf("%s is %s: expected %s", orRequest(path), what, expected)
}

func orRequest(path string) string {
	if path == "" {
		return "the request"
	}
	return path
}

// shown is a name of the client's own, fit for a line of text.
func shown(name string) string {
	const most = 80
	if len(name) > most {
		return fmt.Sprintf("%+q...", name[:most])
	}
	return fmt.Sprintf("%+q", name)
}
