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
	Data      json.RawMessage   `json:"data,omitempty"`
	Text      *string           `json:"text,omitempty"`
	Base64    *string           `json:"base64,omitempty"`
}

// appendJSON appends the message as one line of JSON.
func appendJSON(dst []byte, m *magpieclient.Message) ([]byte, error) {
	line := messageLine{
		Channel:   m.Channel,
		Epoch:     m.Position.Epoch,
		Offset:    m.Position.Offset,
		MessageID: m.ID,
		Key:       m.Key,
		Publisher: m.Publisher,
		Timestamp: m.Time.UnixMilli(),
		Tags:      m.Tags,
		Meta:      m.Meta,
	}
	switch m.Payload.Kind {
	case magpieclient.PayloadJSON:
		line.Data = m.Payload.Bytes
	case magpieclient.PayloadText:
		text := string(m.Payload.Bytes)
		line.Text = &text
	case magpieclient.PayloadBytes:
		encoded := base64.StdEncoding.EncodeToString(m.Payload.Bytes)
		line.Base64 = &encoded
	case magpieclient.PayloadNone:
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
	dst = append(dst, "  "...)
	switch m.Payload.Kind {
	case magpieclient.PayloadJSON:
		var compact bytes.Buffer
		if err := json.Compact(&compact, m.Payload.Bytes); err != nil {
			return dst, fmt.Errorf("message %d of %s: %w", m.Position.Offset, m.Channel, err)
		}
		dst = append(dst, inert(compact.String())...)
	case magpieclient.PayloadText:
		dst = append(dst, inert(string(m.Payload.Bytes))...)
	case magpieclient.PayloadBytes:
		dst = fmt.Appendf(dst, "%d bytes", len(m.Payload.Bytes))
	case magpieclient.PayloadNone:
	}
	return append(dst, '\n'), nil
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
