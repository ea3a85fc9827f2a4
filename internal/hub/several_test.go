package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// severally brings a call to so many sessions, and returns what each of them has in hand.
func severally(x *Exchange, n int) (brought []*Exchange) {
	candidates := make([]Candidate, n)
	for i := range candidates {
		candidates[i] = Candidate{&auth.Principal{UserID: "u"}, func(child *Exchange) { brought = append(brought, child) }}
	}
	Several(x, candidates)
	return brought
}

// refuse answers a call as its callee.
func refuse(x *Exchange, code wire.Code) {
	x.Back.Answer(nil, x, nil, wire.Errorf(code, "the callee says so"))
}

// Of several who are asked, the first to answer counts, whatever it says; that one could not be asked, has gone or does not know
// the method says nothing of the others, as long as it has not begun.
func TestTheFirstOfSeveralToAnswerCounts(t *testing.T) {
	gone, missing := wire.Errorf(wire.CodeUnavailable, "gone"), wire.Errorf(wire.CodeNotFound, "not connected")
	for name, test := range map[string]struct {
		do   func(first, second *Exchange)
		want wire.Code // empty: a reply
	}{
		"a reply": {func(first, second *Exchange) {
			refuse(first, wire.CodeUnimplemented)
			second.Back.Answer(nil, second, &wire.Reply{}, nil)
		}, ""},
		"a reply of the one that is left": {func(first, second *Exchange) {
			first.Fail(nil, missing)
			second.Back.Answer(nil, second, &wire.Reply{}, nil)
		}, ""},
		"not found":   {func(first, _ *Exchange) { refuse(first, wire.CodeNotFound) }, wire.CodeNotFound},
		"unavailable": {func(first, _ *Exchange) { refuse(first, wire.CodeUnavailable) }, wire.CodeUnavailable},
		"exhausted":   {func(first, _ *Exchange) { refuse(first, wire.CodeResourceExhausted) }, wire.CodeResourceExhausted},
		"refused by both": {func(first, second *Exchange) {
			refuse(first, wire.CodeUnimplemented)
			refuse(second, wire.CodeUnimplemented)
		}, wire.CodeUnimplemented},
		"refused, and gone": {func(first, second *Exchange) {
			refuse(first, wire.CodeUnimplemented)
			second.Fail(nil, gone)
		}, wire.CodeUnavailable},
		"gone once it had begun": {func(first, second *Exchange) {
			first.Fail(nil, missing)
			second.Back.Part(nil, second, wire.Payload{})
			second.Fail(nil, gone)
		}, wire.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			x, back := callOf("")
			brought := severally(x, 2)
			test.do(brought[0], brought[1])
			if n := back.answers.Load(); n != 1 || code(back.err) != test.want {
				t.Errorf("%d answers, the last %q (%v), want one %q", n, code(back.err), back.err, test.want)
			}
		})
	}
}

// half are lines with two sessions, of which one answers.
type half struct{}

func (half) Reach(x *Exchange) {
	brought := severally(x, 2)
	brought[0].Back.Answer(nil, brought[0], &wire.Reply{}, nil)
}

// What has been answered when the time is over is what is gathered, whether the call or its context says when that is.
func TestWhatWasGatheredInTimeIsTheReply(t *testing.T) {
	for name, test := range map[string]struct{ context, call time.Duration }{
		"the context ends": {time.Second, time.Minute},
		"the call ends":    {time.Minute, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := openHub(t, Options{})
				h.SetLines(half{})
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), test.context)
				defer cancel()
				reply, err := h.Ask(ctx, user(t, "u", auth.AllGrants()), &wire.Call{
					Method: "m", To: "user:u", Answers: wire.AnswersAll, TimeoutMs: test.call.Milliseconds(),
				}, nil)
				if err != nil || reply.Asked != 2 || len(reply.Answers) != 1 || time.Since(begun) != time.Second {
					t.Errorf("after %v: %+v, %v", time.Since(begun), reply, err)
				}
			})
		})
	}
}
