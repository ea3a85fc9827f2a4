package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// The handshake of RFC 6455, section 1.3. One key does for all lines: what matters here is that the server answers it.
const (
	upgradeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	upgradeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// maxAnswer bounds the answer to the handshake.
const maxAnswer = 16 << 10

// request is the whole request of every line.
func request(o Options) []byte {
	host, path := o.Host, o.Path
	if host == "" {
		host = o.Address.String()
	}
	if path == "" {
		path = "/"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", path, host)
	fmt.Fprintf(&b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", upgradeKey, o.Header)
	return []byte(b.String())
}

// readAnswer takes the answer to the handshake from the beginning of b. done is false while it is incomplete.
func readAnswer(b []byte) (rest []byte, done bool, err error) {
	head, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if !whole {
		if len(b) > maxAnswer {
			return nil, false, errors.New("the answer to the handshake does not end")
		}
		return b, false, nil
	}
	status, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101")) {
		return nil, false, fmt.Errorf("the server refused the handshake: %s %s", status, firstLine(rest))
	}
	if !bytes.Contains(head, []byte(upgradeAccept)) {
		return nil, false, errors.New("the server's Sec-WebSocket-Accept does not answer the key: it is no WebSocket server")
	}
	return rest, true, nil
}

// firstLine is what a refusal says, as far as it is there.
func firstLine(body []byte) string {
	const room = 200
	line, _, _ := bytes.Cut(body[:min(len(body), room)], []byte("\n"))
	return string(bytes.TrimSpace(line))
}
