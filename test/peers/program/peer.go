package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	parts  = 40 // of *.count: more than the credit that a call begins with
	credit = 16 // that a call begins with
	grant  = 8  // a caller allows as many more whenever it was sent so many
)

// frame has the fields of all frames that matter here.
type frame struct {
	Type        string            `json:"type"`
	RequestID   string            `json:"requestId,omitempty"`
	Device      string            `json:"device,omitempty"`
	Method      string            `json:"method,omitempty"`
	Channel     string            `json:"channel,omitempty"`
	To          string            `json:"to,omitempty"`
	Answers     json.RawMessage   `json:"answers,omitempty"` // of a call a word, of a reply a list
	Concurrency int               `json:"concurrency,omitempty"`
	TimeoutMs   int64             `json:"timeoutMs,omitempty"`
	Count       int               `json:"count,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"`
	Data        json.RawMessage   `json:"data,omitempty"`
	Error       json.RawMessage   `json:"error,omitempty"`
}

// peer is a client's state. It belongs to one goroutine.
type peer struct {
	name     string
	out      chan []byte
	requests int
	asked    map[string]origin // by requestId: calls that this peer made
	serving  map[string]*task  // by requestId: calls that it has in hand
}

// origin tells where a call comes from that this peer made.
type origin struct {
	id    string // that it was given with its command or, relayed, by its first caller
	relay string // the requestId of the call that it is made for, where it is relayed
	parts int    // that came
}

// task is a call in hand.
type task struct {
	id        string
	relayed   string // the requestId of the call made for it
	sent      int    // parts
	credit    int    // for more
	given     int    // credit, by the caller
	countable bool
}

func (p *peer) send(f *frame) {
	raw, err := json.Marshal(f)
	if err != nil {
		panic(err) // a frame that was just built of JSON
	}
	p.out <- raw
}

func tell(word, name string, raw []byte) { fmt.Printf("%s %s %s\n", word, name, raw) }

// request numbers the peer's requests.
func (p *peer) request() string {
	p.requests++
	return strconv.Itoa(p.requests)
}

// command obeys one line.
func (p *peer) command(line string) {
	word, rest, _ := strings.Cut(line, " ")
	id, call, _ := strings.Cut(rest, " ")
	var f frame
	var err error
	switch word {
	case "send":
		if err = json.Unmarshal([]byte(rest), &f); err == nil {
			f.RequestID = p.request()
			p.send(&f)
		}
	case "call":
		if err = json.Unmarshal([]byte(call), &f); err == nil {
			p.call(origin{id: id}, &f)
		}
	case "cancel":
		for requestID, o := range p.asked {
			if o.id == id && o.relay == "" {
				p.send(&frame{Type: "cancel", RequestID: requestID})
			}
		}
	default:
		err = errors.New("no such command")
	}
	if err != nil {
		tell("other", "-", fmt.Appendf(nil, "%s: %v", line, err))
	}
}

// call makes a call, and returns its requestId.
func (p *peer) call(o origin, f *frame) string {
	f.Type, f.RequestID, f.Meta = "call", p.request(), map[string]string{"id": o.id}
	p.asked[f.RequestID] = o
	p.send(f)
	return f.RequestID
}

// frame handles one frame of the gateway.
func (p *peer) frame(raw []byte) {
	var f frame
	if err := json.Unmarshal(raw, &f); err != nil {
		tell("other", "-", raw)
		return
	}
	o, asked := p.asked[f.RequestID]
	t := p.serving[f.RequestID]
	switch {
	case f.Type == "connected":
		tell("connected", p.name, raw)
	case f.Type == "served" || f.Type == "unserved" || f.Type == "subscribed":
		tell(f.Type, f.Method+f.Channel, raw)
	case f.Type == "call":
		tell("called", f.Meta["id"], raw)
		p.serve(&f)
	case f.Type == "cancel" && t != nil:
		tell("canceled", t.id, raw)
		p.drop(f.RequestID, t)
	case f.Type == "credit" && t != nil:
		t.credit += f.Count
		t.given += f.Count
		p.count(f.RequestID, t)
	case f.Type == "progress" && asked:
		p.part(&f, o, raw)
	case (f.Type == "reply" || f.Type == "error") && asked:
		delete(p.asked, f.RequestID)
		p.outcome(&f, o, raw)
	case f.Type == "cancel" || f.Type == "credit": // of a call that was answered meanwhile
	default:
		tell("other", "-", raw)
	}
}

// part allows more parts of a call's result.
func (p *peer) part(f *frame, o origin, raw []byte) {
	tell("part", o.id, raw)
	o.parts++
	p.asked[f.RequestID] = o
	if o.parts%grant == 0 {
		p.send(&frame{Type: "credit", RequestID: f.RequestID, Count: grant})
	}
}

// outcome tells what came of a call, or hands it to whom it was made for.
func (p *peer) outcome(f *frame, o origin, raw []byte) {
	if o.relay == "" {
		tell("outcome", o.id, raw)
		return
	}
	if p.serving[o.relay] != nil { // somebody still waits for it
		delete(p.serving, o.relay)
		p.send(&frame{Type: f.Type, RequestID: o.relay, Meta: f.Meta, Data: f.Data, Error: f.Error})
	}
}

// serve begins a call of a method of this peer.
func (p *peer) serve(f *frame) {
	t := &task{id: f.Meta["id"]}
	p.serving[f.RequestID] = t
	switch f.Method[strings.LastIndexByte(f.Method, '.')+1:] {
	case "reply":
		p.answer(&frame{Type: "reply", RequestID: f.RequestID, Meta: f.Meta, Data: fmt.Appendf(nil, `{"from":%q,"got":%s}`, p.name, f.Data)})
	case "wait":
	case "count":
		t.countable, t.credit = true, credit
		p.count(f.RequestID, t)
	case "fail":
		failure := fmt.Appendf(nil, `{"code":"failed_precondition","message":"not by %s","details":{"from":%q}}`, p.name, p.name)
		p.answer(&frame{Type: "error", RequestID: f.RequestID, Error: failure})
	case "relay":
		var next frame
		if err := json.Unmarshal(f.Data, &next); err != nil {
			tell("other", "-", f.Data)
			return
		}
		next.TimeoutMs = f.TimeoutMs
		t.relayed = p.call(origin{id: t.id, relay: f.RequestID}, &next)
	default:
		p.answer(&frame{Type: "error", RequestID: f.RequestID, Error: []byte(`{"code":"unimplemented","message":"no such method"}`)})
	}
}

// answer ends a call in hand.
func (p *peer) answer(f *frame) {
	delete(p.serving, f.RequestID)
	p.send(f)
}

// count sends as many parts as there is credit for and, after the last, the reply.
func (p *peer) count(requestID string, t *task) {
	if !t.countable {
		return
	}
	for ; t.credit > 0 && t.sent < parts; t.credit-- {
		p.send(&frame{Type: "progress", RequestID: requestID, Data: []byte(strconv.Itoa(t.sent))})
		t.sent++
	}
	if t.sent == parts {
		p.answer(&frame{Type: "reply", RequestID: requestID, Data: fmt.Appendf(nil, `{"credit":%d}`, t.given)})
	}
}

// drop forgets a call that nobody waits for any more, and gives up the call that was made for it.
func (p *peer) drop(requestID string, t *task) {
	delete(p.serving, requestID)
	if _, open := p.asked[t.relayed]; open {
		p.send(&frame{Type: "cancel", RequestID: t.relayed})
	}
}
