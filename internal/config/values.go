package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Size is a number of bytes.
type Size int64

// The units of sizes.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// units are in descending order, so that the first that divides a size shows it best.
func units() []sizeUnit {
	return []sizeUnit{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1}}
}

type sizeUnit struct {
	name  string
	bytes Size
}

// String shows the size in the largest unit that divides it.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, unit := range units() {
		if s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes the size as a file has it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var errNotSize = errors.New("not a size")

func parseSize(text string) (Size, error) {
	number, unit := text, Size(1)
	for _, u := range units() {
		if trimmed, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = trimmed, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 63)
	if err != nil || Size(n) > math.MaxInt64/unit {
		return 0, errNotSize
	}
	return Size(n) * unit, nil
}

// Secret is a value that must not be seen. Whatever prints, logs or encodes one gets "REDACTED"; only Reveal tells.
type Secret struct{ value string }

const redacted = "REDACTED"

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the value. Pass it on to what needs it and to nothing else.
func (s Secret) Reveal() []byte { return []byte(s.value) }

// IsSet tells a secret from none.
func (s Secret) IsSet() bool { return s.value != "" }

// String hides the value.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return redacted
}

// GoString hides the value.
func (s Secret) GoString() string { return "config.Secret{" + s.String() + "}" }

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String hides the hash, which would let somebody who guessed the key prove it.
func (KeyHash) String() string { return redacted }

// GoString hides the hash.
func (KeyHash) GoString() string { return "config.KeyHash{" + redacted + "}" }

// MarshalText hides the hash from encoders.
func (KeyHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// checkPattern reports what keeps text from being a pattern of channels or methods.
func checkPattern(text string) error {
	if len(text) > wire.MaxChannelBytes {
		return fmt.Errorf("expected a pattern of at most %d bytes", wire.MaxChannelBytes)
	}
	words := strings.Split(text, ".")
	for i, word := range words {
		if word == "*" || word == ">" && i == len(words)-1 {
			continue
		}
		if wire.ChannelName(word).Check() != nil {
			return errors.New("expected dot-separated words of letters, digits, '_' and '-', with '*' for one word and a last '>' for the rest, such as order.*")
		}
	}
	return nil
}
