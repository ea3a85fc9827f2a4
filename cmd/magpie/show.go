package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

// messageLine is what --json prints for a message: the fields of the message frame, and the epoch.
type messageLine struct {
	Channel   string            `json:"channel"`
	Epoch     string            `json:"epoch"`
	Offset    uint64            `json:"offset"`
	MessageID string            `json:"messageId,omitempty"`
	Key       string            `json:"key,omitempty"`
	Publisher string            `json:"publisher,omitempty"`
	Timestamp int64             `json:"timestamp"`
	Tags      map[string]string `json:"tags,omitempty"`
	Meta      map[string]string `json:"meta,omitempty"`
	payloadFields
}

// payloadFields are those of a payload, of which at most one is there.
type payloadFields struct {
	Data   json.RawMessage `json:"data,omitempty"`
	Text   *string         `json:"text,omitempty"`
	Base64 *string         `json:"base64,omitempty"`
}

func fieldsOf(p magpieclient.Payload) payloadFields {
	switch p.Kind {
	case magpieclient.PayloadJSON:
		return payloadFields{Data: p.Bytes}
	case magpieclient.PayloadText:
		text := string(p.Bytes)
		return payloadFields{Text: &text}
	case magpieclient.PayloadBytes:
		encoded := base64.StdEncoding.EncodeToString(p.Bytes)
		return payloadFields{Base64: &encoded}
	case magpieclient.PayloadNone:
	}
	return payloadFields{}
}

// shownPayload is a payload as a person reads it, on one line.
func shownPayload(p magpieclient.Payload) string {
	switch p.Kind {
	case magpieclient.PayloadJSON:
		var compact bytes.Buffer
		if json.Compact(&compact, p.Bytes) != nil {
			return inert(string(p.Bytes))
		}
		return inert(compact.String())
	case magpieclient.PayloadText:
		return inert(string(p.Bytes))
	case magpieclient.PayloadBytes:
		return fmt.Sprintf("%d bytes", len(p.Bytes))
	case magpieclient.PayloadNone:
	}
	return ""
}

// appendJSON appends the message as one line of JSON.
func appendJSON(dst []byte, m *magpieclient.Message) ([]byte, error) {
	line := messageLine{
		Channel:       m.Channel,
		Epoch:         m.Position.Epoch,
		Offset:        m.Position.Offset,
		MessageID:     m.ID,
		Key:           m.Key,
		Publisher:     m.Publisher,
		Timestamp:     m.Time.UnixMilli(),
		Tags:          m.Tags,
		Meta:          m.Meta,
		payloadFields: fieldsOf(m.Payload),
	}
	out := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		return dst, fmt.Errorf("message %d of %s: %w", m.Position.Offset, m.Channel, err)
	}
	return out.Bytes(), nil
}

// appendPretty appends the message as one line for a person: when, where, who, tags, payload.
func appendPretty(dst []byte, m *magpieclient.Message) ([]byte, error) {
	dst = m.Time.Local().AppendFormat(dst, "15:04:05.000")
	dst = fmt.Appendf(dst, " %s #%d", m.Channel, m.Position.Offset)
	if m.Publisher != "" {
		dst = fmt.Appendf(dst, " %s", inert(m.Publisher))
	}
	if m.Key != "" {
		dst = fmt.Appendf(dst, " key=%s", inert(m.Key))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		dst = fmt.Appendf(dst, " %s=%s", inert(name), inert(m.Tags[name]))
	}
	return fmt.Appendf(dst, "  %s\n", shownPayload(m.Payload)), nil
}

// inert makes what a stranger wrote harmless on a terminal: one line, no escape sequences, no reversed text.
func inert(s string) string {
	if !strings.ContainsFunc(s, isActive) && utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case isActive(r):
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// isActive reports whether a terminal may do something else than draw the character.
func isActive(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
