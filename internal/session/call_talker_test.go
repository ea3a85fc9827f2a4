package session

import (
	"fmt"
	"slices"
	"strings"

	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// talker is a client that calls and is called.
type talker struct {
	*client
	m      *exchangeModel
	due    map[string]int  // its calls that are under way: the part that comes next
	hand   []*errand       // what it was brought and has not answered
	serves map[string]bool // as it was told
	eager  bool            // it gives credit for whatever comes
}

// errand is a call that a talker has in hand.
type errand struct {
	id, method, word string // the word is to be in the reply
	credit           int64
	sent             int
}

// fates are how a call may fail.
var fates = []wire.Code{
	wire.CodeCanceled, wire.CodeDeadlineExceeded, wire.CodeNotFound, wire.CodeUnavailable, wire.CodeUnimplemented, wire.CodeResourceExhausted,
}

// call begins a call.
func (a *talker) call(method string) {
	m := a.m
	id := fmt.Sprint("c", m.calls)
	m.calls++
	to, method := m.whom(method)
	answers := ""
	if strings.HasPrefix(to, "user") && m.random.IntN(2) == 0 {
		answers = "all"
	}
	a.due[id] = 0
	a.tell(fmt.Sprintf(`{"type":"call","requestId":%q,"method":%q,"to":%q,"answers":%q,"timeoutMs":%d,"text":"%s %s"}`,
		id, method, to, answers, 1+m.random.IntN(100), id, strings.Repeat("a", m.random.IntN(3000))))
}

// listen takes note of what has come, and checks it against the books.
func (a *talker) listen() error {
	events := a.hear()
	if a.eager && a.m.plant != nil {
		events = a.m.plant(events)
	}
	for _, e := range events {
		if err := a.heed(e); err != nil {
			return err
		}
	}
	return nil
}

func (a *talker) heed(e event) error {
	id := e.frame.RequestID
	part, own := a.due[id]
	switch b := e.body().(type) {
	case *wire.Served:
		a.serves[b.Method] = true
	case *wire.Unserved:
		a.serves[b.Method] = false
		for _, o := range a.hand {
			if o.method == b.Method {
				o.method = "" // it goes on, and does not count when the method is served again
			}
		}
	case *wire.Call:
		n := 0
		for _, o := range a.hand {
			if o.method == b.Method {
				n++
			}
		}
		if b.Method != "direct" && (!a.serves[b.Method] || n >= inHand) {
			return fmt.Errorf("a call of %s came, which is served: %t, with %d in hand", b.Method, a.serves[b.Method], n)
		}
		a.hand = append(a.hand, &errand{id: id, method: b.Method, word: word(b.Payload), credit: hub.InitialCredit})
	case *wire.Credit:
		if at := a.errand(id); at >= 0 {
			a.hand[at].credit += b.Count
		}
	case *wire.Cancel:
		a.done(id)
	case *wire.Progress:
		if !own || word(b.Payload) != fmt.Sprint(part) {
			return fmt.Errorf("part %s of %s came where %d is due, under way: %t", word(b.Payload), id, part, own)
		}
		a.due[id]++
		if a.eager || a.m.random.IntN(2) == 0 {
			a.tell(fmt.Sprintf(`{"type":"credit","requestId":%q,"count":%d}`, id, 1+a.m.random.IntN(20)))
		}
	case *wire.Reply:
		return a.settled(id, own, b, nil)
	case *wire.Error:
		if strings.HasPrefix(id, "c") {
			return a.settled(id, own, nil, b)
		}
	}
	return nil
}

func (a *talker) settled(id string, own bool, reply *wire.Reply, err error) error {
	if !own {
		return fmt.Errorf("%s was answered again, or never asked", id)
	}
	delete(a.due, id)
	return verdict(id, reply, err)
}

func (a *talker) errand(id string) int {
	return slices.IndexFunc(a.hand, func(o *errand) bool { return o.id == id })
}

func (a *talker) done(id string) {
	if at := a.errand(id); at >= 0 {
		a.hand = slices.Delete(a.hand, at, at+1)
	}
}

// work sends a part of what is in hand, or answers it.
func (a *talker) work() {
	r := a.m.random
	for range min(len(a.hand), 3) {
		o := a.hand[r.IntN(len(a.hand))]
		switch n := r.IntN(8); {
		case n < 3 && o.credit > 0:
			a.answer(fmt.Sprintf(`{"type":"progress","requestId":%q,"text":"%d %s"}`, o.id, o.sent, strings.Repeat("p", r.IntN(2000))))
			o.sent++
			o.credit--
		case n < 7:
			a.done(o.id)
			a.answer(fmt.Sprintf(`{"type":"reply","requestId":%q,"text":"%s %s"}`, o.id, o.word, strings.Repeat("r", r.IntN(3000))))
		default:
			a.done(o.id)
			a.answer(fmt.Sprintf(`{"type":"error","requestId":%q,"error":{"code":"unimplemented","message":"no"}}`, o.id))
		}
	}
}

// answer sends what must not wait while the session is full.
func (a *talker) answer(frame string) {
	data := []byte(frame)
	if !a.s.Answer(data) {
		a.tell(frame)
		return
	}
	clear(data) // it was the transport's
	a.s.Flush()
}

func word(p wire.Payload) string {
	first, _, _ := strings.Cut(string(p.Bytes), " ")
	return first
}

// verdict checks what a call has come to that said a word.
func verdict(said string, reply *wire.Reply, err error) error {
	if err != nil {
		if slices.Contains(fates, wire.AsError(err).Code) {
			err = nil
		}
		return err
	}
	if reply.Asked == 0 && len(reply.Payload.Bytes) > 0 && word(reply.Payload) != said {
		return fmt.Errorf("the reply to %s is one to %s", said, word(reply.Payload))
	}
	for _, one := range reply.Answers {
		if one.Err == nil && word(one.Payload) != said {
			return fmt.Errorf("an answer to %s is one to %s", said, word(one.Payload))
		}
	}
	return nil
}
