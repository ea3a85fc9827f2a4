package magpie

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Target is who is to answer a call. The zero value is that of [Service].
type Target struct {
	to, device string
	all        bool
}

// Service is whoever serves the method: a handler of this program or, of the clients that serve it, the one that has the
// fewest calls in hand.
func Service() Target { return Target{} }

// User is the first of a user's sessions that answers. One that does not know the method says nothing of the others.
func User(id string) Target { return Target{to: "user:" + id} }

// Device is the first to answer of a user's sessions on one device.
func Device(user, device string) Target { return Target{to: "user:" + user, device: device} }

// AllOf is every session of a user: [Reply.Answers] has what they said until the call's time was over.
func AllOf(user string) Target { return Target{to: "user:" + user, all: true} }

// Session is one session, such as that of [Request.SessionID].
func Session(id string) Target { return Target{to: "session:" + id} }

// Members are the sessions that have subscribed a channel, at most 1,000: [Reply.Answers] has what they said until the
// call's time was over.
func Members(channel string) Target { return Target{to: "channel:" + channel} }

// CallOptions are the parts of a call that are not always there.
type CallOptions struct {
	// Timeout is how long the call may take; 0: until the deadline of its context, or as CallLimits.Timeout says.
	Timeout time.Duration
	// Meta travels along, such as a trace context.
	Meta map[string]string
	// OnProgress takes the parts of the result that come before it, in order, on the goroutine of Call. While it has not
	// returned, the callee is slowed down.
	OnProgress func(part Payload)
}

// Payload is what a reply carries, or a part of one.
type Payload struct{ payload wire.Payload }

// Decode unmarshals the JSON that is carried into v.
func (p Payload) Decode(v any) error {
	if p.payload.Kind != wire.PayloadJSON {
		return wire.Errorf(wire.CodeInvalidArgument, "the payload is not JSON: take its Text or its Bytes")
	}
	return json.Unmarshal(p.payload.Bytes, v)
}

// Text returns the text that is carried; ok is false when it is something else.
func (p Payload) Text() (text string, ok bool) {
	return string(p.payload.Bytes), p.payload.Kind == wire.PayloadText
}

// Bytes returns what is carried, of whichever kind.
func (p Payload) Bytes() []byte { return p.payload.Bytes }

// Reply is what a call brought back.
type Reply struct {
	Payload
	// Meta is what the callee sent along.
	Meta map[string]string
	// Asked is how many sessions were asked, where the answers of several were wanted, and Answers what those said that
	// did in time, in the order in which they did.
	Asked   int
	Answers []Answer
}

// Answer is what one of several sessions said.
type Answer struct {
	Payload
	UserID, SessionID, Device string
	// Err is why it gave no payload; nil where it did.
	Err *Error
}

// Call runs a method at a client, at all of several, or at a handler of this program, and waits for what comes of it. The
// argument is carried in the forms that the result of a [Handler] may have. Errors are *[Error]: not_found when nobody is
// there to be asked, unavailable when whoever had the call in hand went away, deadline_exceeded, canceled when ctx was,
// and whatever the callee says. A call is never repeated: one that failed may have been carried out.
func (g *Gateway) Call(ctx context.Context, to Target, method string, arg any, opts CallOptions) (*Reply, error) {
	c := &wire.Call{Method: method, To: to.to, Device: to.device, TimeoutMs: opts.Timeout.Milliseconds()}
	if to.all {
		c.Answers = wire.AnswersAll
	}
	for _, key := range slices.Sorted(maps.Keys(opts.Meta)) {
		c.Meta = append(c.Meta, wire.Pair{Key: key, Value: opts.Meta[key]})
	}
	var err error
	if c.Payload, err = resultPayload(arg); err != nil {
		return nil, err
	}
	if c.Payload.Kind == wire.PayloadText && !utf8.Valid(c.Payload.Bytes) {
		return nil, wire.Errorf(wire.CodeInvalidArgument, "the argument of %q is text that is not valid UTF-8", shorten(method))
	}
	texts := []string{method, to.to, to.device}
	for key, value := range opts.Meta {
		texts = append(texts, key, value)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return nil, wire.Errorf(wire.CodeInvalidArgument, "%q is not valid UTF-8", shorten(text))
		}
	}
	// What comes over the wire has passed the decoder; a call made in Go passes it here, with the same limits.
	var checked wire.Call
	if err := new(wire.Decoder).DecodeBody(wire.AppendBody(nil, c), &checked); err != nil {
		return nil, err
	}
	var parts func(wire.Payload)
	if opts.OnProgress != nil {
		parts = func(p wire.Payload) { opts.OnProgress(Payload{p}) }
	}
	reply, err := g.inner.Call(ctx, &checked, parts)
	if err != nil {
		return nil, err
	}
	return replyOf(reply), nil
}

func replyOf(r *wire.Reply) *Reply {
	reply := &Reply{Payload: Payload{r.Payload}, Asked: int(r.Asked)}
	if len(r.Meta) > 0 {
		reply.Meta = make(map[string]string, len(r.Meta))
		for _, p := range r.Meta {
			reply.Meta[p.Key] = p.Value
		}
	}
	for _, a := range r.Answers {
		reply.Answers = append(reply.Answers, Answer{
			Payload: Payload{a.Payload}, UserID: a.UserID, SessionID: string(a.SessionID), Device: a.Device, Err: a.Err,
		})
	}
	return reply
}
