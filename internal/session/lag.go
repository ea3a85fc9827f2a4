package session

import (
	"cmp"
	"context"
	"slices"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// FarBehind is how many messages a subscription is behind to be counted as such in a [Survey].
const FarBehind = 1000

// SurveyQuery says what a survey looks for.
type SurveyQuery struct {
	Channel wire.ChannelName // only this one; empty: all
	Limit   int              // of the subscriptions that are named
}

// Survey tells how the subscriptions of a loop stand.
type Survey struct {
	Loop          int
	Subscriptions int // that were looked at
	Far           int // of them, those more than FarBehind behind
	Largest       uint64
	Behind        []Lagging // the furthest behind first
}

// Lagging is a subscription that has messages before it.
type Lagging struct {
	Session  wire.SessionID
	UserID   string
	Channel  wire.ChannelName
	Position wire.Position // what it was delivered last
	Tail     wire.Offset
	Lag      uint64
	Since    int64 // when the message that is next was appended, in milliseconds since 1970; 0: it is not in memory
}

// Surveys asks the loops of all shards at once, and returns what those say that answer before ctx ends.
func Surveys(ctx context.Context, shards []*Shard, q SurveyQuery) []Survey {
	return ask(ctx, shards, func(sh *Shard, answer func(Survey)) { sh.survey(ctx, q, answer) })
}

// survey looks at all subscriptions of the loop, and answers in the end. Loop only.
func (sh *Shard) survey(ctx context.Context, q SurveyQuery, answer func(Survey)) {
	v := &surveyor{shard: sh, query: q, survey: Survey{Loop: sh.index}}
	t := &tour{ctx: ctx, shard: sh, visit: v.visit, end: func() {
		v.name()
		answer(v.survey)
	}}
	t.goOn()
}

// Worst merges the subscriptions that surveys name: the furthest behind first, at most limit.
func Worst(surveys []Survey, limit int) []Lagging {
	var all []Lagging
	for i := range surveys {
		all = append(all, surveys[i].Behind...)
	}
	slices.SortFunc(all, furthest)
	return all[:min(limit, len(all))]
}

func furthest(a, b Lagging) int {
	return cmp.Or(cmp.Compare(b.Lag, a.Lag), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Session, b.Session))
}

// surveyor looks at the subscriptions of each session of a loop.
type surveyor struct {
	shard  *Shard
	query  SurveyQuery
	survey Survey
	behind []furtherBehind
}

// furtherBehind is a candidate for being named: whom it is about is found out at the end.
type furtherBehind struct {
	lag  uint64
	slot uint32
	t    *topic
}

func (v *surveyor) visit(s *Session) (cost int, _ bool) {
	for i := range s.subs {
		t := s.subs[i].topic
		if v.query.Channel != "" && t.log.Name() != v.query.Channel {
			continue
		}
		v.survey.Subscriptions++
		behind := lag(t.cursors[s.subs[i].index].next, t.log.Tail())
		if behind == 0 {
			continue
		}
		v.survey.Largest = max(v.survey.Largest, behind)
		if behind > FarBehind {
			v.survey.Far++
		}
		v.keep(furtherBehind{behind, s.slot, t})
	}
	return len(s.subs), false
}

// keep remembers a candidate. No more than twice the limit are remembered at a time.
func (v *surveyor) keep(f furtherBehind) {
	if v.query.Limit <= 0 {
		return
	}
	if v.behind = append(v.behind, f); len(v.behind) >= 2*v.query.Limit {
		v.cut()
	}
}

func (v *surveyor) cut() {
	slices.SortFunc(v.behind, func(a, b furtherBehind) int { return cmp.Compare(b.lag, a.lag) })
	v.behind = v.behind[:min(len(v.behind), v.query.Limit)]
}

// name says of the candidates who they are, and how they stand by now.
func (v *surveyor) name() {
	v.cut()
	for _, f := range v.behind {
		s := v.shard.sessions[f.slot]
		if s == nil {
			continue // it has gone since
		}
		at := slices.IndexFunc(s.subs, func(sub subscription) bool { return sub.topic == f.t })
		if at < 0 || s.principal == nil {
			continue
		}
		log := f.t.log
		next, tail := f.t.cursors[s.subs[at].index].next, log.Tail()
		if next > tail {
			continue // it has caught up since
		}
		l := Lagging{
			Session: s.ID(), UserID: s.principal.UserID, Channel: log.Name(),
			Position: wire.Position{Epoch: log.Epoch(), Offset: next - 1}, Tail: tail, Lag: lag(next, tail),
		}
		if at, ok := log.Time(max(next, log.Head())); ok {
			l.Since = at
		}
		v.survey.Behind = append(v.survey.Behind, l)
	}
}
