package websocket

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// headReader reads the heads of requests that ask for an upgrade, with the same map and request over and over: a handshake
// then costs one copy of its head. It takes only what is plainly well formed; whatever else there is, package net/http is
// the judge of. One for each loop.
type headReader struct {
	request http.Request
	url     url.URL
	header  http.Header
	values  [maxHeadLines]string // what the slices in header are cut from
	answer  []byte               // scratch for the response
}

// maxHeadLines bounds the lines of a head that is read here.
const maxHeadLines = 64

// read returns the request of a whole head, which ends with an empty line: a GET of the path that asks for an upgrade to
// WebSocket. It is nil when it is anything else. The request is valid until the next call, its strings for ever.
func (hr *headReader) read(head []byte, path string) *http.Request {
	line, rest, _ := strings.Cut(string(head), "\r\n")
	target, ok := strings.CutPrefix(line, "GET ")
	if !ok {
		return nil
	}
	if target, ok = strings.CutSuffix(target, " HTTP/1.1"); !ok {
		return nil
	}
	name, query, asked := strings.Cut(target, "?")
	if name != path || !plain(query) || asked && query == "" {
		return nil
	}
	if hr.header == nil {
		hr.header = make(http.Header, maxHeadLines)
	}
	clear(hr.header)
	for i := 0; rest != "\r\n"; i++ {
		if i == maxHeadLines {
			return nil
		}
		line, rest, _ = strings.Cut(rest, "\r\n")
		if !hr.field(line, i) {
			return nil
		}
	}
	host := hr.header["Host"]
	if len(host) != 1 || hr.header["Content-Length"] != nil || hr.header["Transfer-Encoding"] != nil ||
		!hasToken(hr.header, "Upgrade", "websocket") {
		return nil
	}
	hr.url = url.URL{Path: path, RawQuery: query}
	delete(hr.header, "Host") // as net/http has it
	hr.request = http.Request{
		Method: http.MethodGet, URL: &hr.url, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: hr.header, Host: host[0], RequestURI: target,
	}
	return &hr.request
}

// field notes line i of the head.
func (hr *headReader) field(line string, i int) bool {
	name, value, ok := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !ok || !isToken(name) || !plain(value) {
		return false
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if more := hr.header[name]; more != nil {
		hr.header[name] = append(more, value)
		return true
	}
	hr.values[i] = value
	hr.header[name] = hr.values[i : i+1 : i+1]
	return true
}

// isToken reports whether s may be the name of a field (RFC 9110, section 5.6.2): letters, digits and hyphens here, which
// all those of a handshake are made of.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// plain reports whether s has nothing but printable ASCII and tabs.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}
