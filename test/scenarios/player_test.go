package scenarios_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// patience is how long a step may take. Only a step that fails takes it.
const patience = 5 * time.Second

// player plays a script's clients against a gateway. It is for one goroutine.
type player struct {
	url     string // of the gateway, ws://host:port/ws
	names   names
	clients map[string]*client
}

// client is one line of a script.
type client struct {
	conn     *websocket.Conn
	corked   *corked // below conn
	codec    wire.Codec
	received chan received
	stop     context.CancelFunc
}

// received is one message, or why there are no more.
type received struct {
	kind websocket.MessageType
	data []byte
	err  error
}

// play plays the whole script and returns what went otherwise than written.
func play(ctx context.Context, s *script, url string) error {
	p := &player{url: url, names: names{}, clients: map[string]*client{}}
	defer p.hangUp()
	for i := 0; i < len(s.steps); {
		group := s.steps[i : i+1]
		if group[0].verb == "~" {
			group = anyOrder(s.steps[i:])
		}
		if err := p.play(ctx, group); err != nil {
			return fmt.Errorf("line %d: %s%s %s: %w", group[0].line, group[0].client, group[0].verb, group[0].rest, err)
		}
		i += len(group)
	}
	return nil
}

// anyOrder returns the first steps, all of one client, whose frames may come in any order.
func anyOrder(steps []step) []step {
	n := 1
	for n < len(steps) && steps[n].verb == "~" && steps[n].client == steps[0].client {
		n++
	}
	return steps[:n]
}

func (p *player) hangUp() {
	for _, c := range p.clients {
		c.cut()
	}
}

func (p *player) play(ctx context.Context, group []step) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := group[0]
	switch s.verb {
	case "open":
		return p.open(ctx, s)
	case "asks":
		return p.ask(ctx, s)
	}
	c := p.clients[s.client]
	if c == nil {
		if err := p.open(ctx, step{client: s.client, rest: "json"}); err != nil {
			return err
		}
		c = p.clients[s.client]
	}
	for range s.times {
		if err := p.act(ctx, c, group); err != nil {
			return err
		}
	}
	return nil
}

func (p *player) act(ctx context.Context, c *client, group []step) error {
	switch s := group[0]; s.verb {
	case ">":
		text, err := p.names.expand(s.rest)
		if err != nil {
			return err
		}
		return c.send(ctx, s.form, text)
	case "<":
		text, err := c.receive(ctx)
		if err != nil {
			return err
		}
		given, err := p.names.match(s.rest, text)
		if err == nil {
			p.names = given
		}
		return err
	case "~":
		return p.receiveAll(ctx, c, group)
	case "ping":
		return c.conn.Ping(ctx)
	case "close":
		return c.close(s.rest)
	case "closed":
		return c.closed(ctx, s.rest)
	default: // cut
		c.cut()
		return nil
	}
}

// receiveAll takes one frame for each step, each the first of those left that it matches.
func (p *player) receiveAll(ctx context.Context, c *client, group []step) error {
	left := append([]step(nil), group...)
	for len(left) > 0 {
		text, err := c.receive(ctx)
		if err != nil {
			return err
		}
		at := -1
		var failures []error
		for i, s := range left {
			given, err := p.names.match(s.rest, text)
			if err == nil {
				at, p.names = i, given
				break
			}
			failures = append(failures, err)
		}
		if at < 0 {
			return errors.Join(failures...)
		}
		left = append(left[:at], left[at+1:]...)
	}
	return nil
}

// open makes a line: "json", "protobuf" or "plain", where a token is, and what the handshake is answered.
func (p *player) open(ctx context.Context, s step) error {
	if old := p.clients[s.client]; old != nil {
		old.cut()
	}
	words := strings.Fields(s.rest)
	if len(words) == 0 {
		words = []string{"json"}
	}
	c := &client{received: make(chan received, 64)}
	options := &websocket.DialOptions{HTTPHeader: http.Header{}, HTTPClient: c.overCorked()}
	switch words[0] {
	case "json", "protobuf":
		options.Subprotocols = []string{"magpie.v1." + words[0]}
		if words[0] == "protobuf" {
			c.codec = wire.Protobuf
		}
	case "plain":
	default: // a subprotocol of that name
		options.Subprotocols = []string{words[0]}
	}
	target, status := p.url, http.StatusSwitchingProtocols
	for words = words[1:]; len(words) >= 2; words = words[2:] {
		switch value := words[1]; words[0] {
		case "header":
			options.HTTPHeader.Set("Authorization", "Bearer "+value)
		case "origin":
			options.HTTPHeader.Set("Origin", value)
		case "cookie":
			options.HTTPHeader.Set("Cookie", "magpie_token="+value)
		case "query":
			target += "?token=" + url.QueryEscape(value)
		case "subprotocol":
			options.Subprotocols = append(options.Subprotocols, "bearer."+value)
		case "answer":
			var err error
			if status, err = strconv.Atoi(value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("open knows no %q", words[0])
		}
	}
	if len(words) > 0 {
		return fmt.Errorf("%q stands alone", words[0])
	}
	conn, response, err := websocket.Dial(ctx, target, options)
	if response == nil {
		return err
	}
	if response.StatusCode != status {
		return fmt.Errorf("the handshake was answered %d, want %d", response.StatusCode, status)
	}
	if err != nil {
		return nil //nolint:nilerr // refused, as it should be
	}
	if asked := options.Subprotocols; len(asked) > 0 && conn.Subprotocol() != asked[0] {
		return fmt.Errorf("the subprotocol is %q, want %q", conn.Subprotocol(), asked[0])
	}
	conn.SetReadLimit(-1)
	c.conn = conn
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go c.read(reading)
	p.clients[s.client] = c
	return nil
}

func (c *client) read(ctx context.Context) {
	for {
		kind, data, err := c.conn.Read(ctx)
		select {
		case c.received <- received{kind, data, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// send sends text as the form says; without one as the line's encoding has it.
func (c *client) send(ctx context.Context, form, text string) error {
	if form == "hold" {
		c.corked.hold()
	}
	switch {
	case form == "hex":
		data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			return err
		}
		return c.conn.Write(ctx, websocket.MessageBinary, data)
	case form != "text" && c.codec == wire.Protobuf:
		var frame wire.Frame
		if err := new(wire.Decoder).Decode(wire.JSON, []byte(text), &frame); err != nil {
			return err
		}
		return c.conn.Write(ctx, websocket.MessageBinary, wire.Protobuf.Append(nil, &frame))
	default:
		return c.conn.Write(ctx, websocket.MessageText, []byte(text))
	}
}

// corked is a connection that can hold back one write, so that it leaves with the next.
type corked struct {
	net.Conn
	mu      sync.Mutex // guards the fields below
	holding bool
	held    []byte
}

func (c *corked) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

func (c *corked) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holding {
		c.holding, c.held = false, append(c.held, p...)
		return len(p), nil
	}
	if len(c.held) == 0 {
		return c.Conn.Write(p)
	}
	before := len(c.held)
	n, err := c.Conn.Write(append(c.held, p...))
	c.held = nil
	return max(0, n-before), err
}

// overCorked returns an HTTP client for one line, whose connection becomes c.corked.
func (c *client) overCorked() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.corked = &corked{Conn: conn}
		return c.corked, nil
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// receive returns the next message as JSON, or as the text that it is.
func (c *client) receive(ctx context.Context) (string, error) {
	select {
	case r := <-c.received:
		switch {
		case r.err != nil:
			return "", fmt.Errorf("the line is gone: %w", r.err)
		case c.codec == wire.JSON && r.kind != websocket.MessageText, c.codec == wire.Protobuf && r.kind != websocket.MessageBinary:
			return "", fmt.Errorf("a message of kind %v on a line of %v", r.kind, c.codec)
		case c.codec == wire.JSON:
			return string(r.data), nil
		}
		var frame wire.Frame
		if err := new(wire.Decoder).Decode(wire.Protobuf, r.data, &frame); err != nil {
			return "", err
		}
		return string(wire.JSON.Append(nil, &frame)), nil
	case <-ctx.Done():
		return "", errors.New("nothing came")
	}
}

// close closes the line with a code, which the gateway has to answer with the same one.
func (c *client) close(code string) error {
	number, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	return c.conn.Close(websocket.StatusCode(number), "")
}

// closed expects that the gateway closes the line with a code, before any other frame.
func (c *client) closed(ctx context.Context, code string) error {
	select {
	case r := <-c.received:
		if r.err == nil {
			return fmt.Errorf("got %q, want the line to be closed", r.data)
		}
		if got := strconv.Itoa(int(websocket.CloseStatus(r.err))); got != code {
			return fmt.Errorf("closed with %s (%w), want %s", got, r.err, code)
		}
		return nil
	case <-ctx.Done():
		return errors.New("the line stays open")
	}
}

// cut drops the line without a word.
func (c *client) cut() {
	if c.stop != nil {
		c.stop()
	}
	c.conn.CloseNow()
}
