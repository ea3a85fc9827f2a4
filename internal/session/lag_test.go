package session

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// surveys asks the rig's loop, and turns it until it has answered.
func (r *rig) surveys(q SurveyQuery) []Survey {
	r.t.Helper()
	answers := make(chan []Survey, 1)
	go func() { answers <- Surveys(r.t.Context(), []*Shard{r.shard}, q) }()
	var all []Survey
	r.await("the survey", func() bool {
		select {
		case all = <-answers:
			return true
		default:
			return false
		}
	})
	return all
}

func TestASurveyNamesThoseFurthestBehind(t *testing.T) {
	r := newRig(t, rigOptions{})
	var clients []*client
	for i := range 6 {
		c := r.joined(fmt.Sprint("user", i))
		c.say(subscribeTo("a"), subscribeTo("b"))
		clients = append(clients, c)
	}
	r.publish("a", "x")
	r.settle()
	for _, c := range clients[:4] {
		c.stop()
		c.tell(`{"type":"ping"}`)
	}
	began := r.clock.now()
	r.advance(3 * time.Second)
	for range FarBehind {
		r.publish("a", "x")
	}
	r.publish("b", "x")
	clients[1].take(20 << 10) // some of it
	r.settle()
	clients[2].take(endless)
	r.settle()
	r.publish("a", "x")
	r.settle()

	survey := r.surveys(SurveyQuery{Limit: 2})[0]
	if survey.Subscriptions != 12 || survey.Far != 2 || survey.Largest != FarBehind+1 || len(survey.Behind) != 2 {
		t.Fatalf("got %+v", survey)
	}
	first := survey.Behind[0]
	if first.UserID != "user0" && first.UserID != "user3" || first.Channel != "a" || first.Position.Offset != 1 ||
		first.Tail != FarBehind+2 || first.Lag != FarBehind+1 || first.Session == "" || first.Position.Epoch == "" {
		t.Errorf("the first is %+v", first)
	}
	if want := began.Add(3 * time.Second).UnixMilli(); first.Since != want {
		t.Errorf("since %d, want %d", first.Since, want)
	}
	all := r.surveys(SurveyQuery{Limit: 100})
	worst := Worst(all, 3)
	if len(all[0].Behind) != 6 || len(worst) != 3 || worst[2].UserID != "user1" || worst[2].Lag >= FarBehind || worst[2].Lag == 0 {
		t.Errorf("of %+v the worst are %+v", all, worst)
	}
	only := r.surveys(SurveyQuery{Channel: "b", Limit: 100})[0]
	if only.Subscriptions != 6 || len(only.Behind) != 3 || only.Largest != 1 || only.Behind[0].Channel != "b" {
		t.Errorf("of b: %+v", only)
	}
	for _, c := range clients {
		c.take(endless)
	}
	r.settle()
	if calm := r.surveys(SurveyQuery{Limit: 5})[0]; calm.Largest != 0 || len(calm.Behind) != 0 {
		t.Errorf("when all have caught up: %+v", calm)
	}
}

// TestASurveyYieldsToOtherWork has more sessions than are looked at in one go: the loop does what was posted meanwhile
// before the survey ends, and sessions that leave in between do no harm.
func TestASurveyYieldsToOtherWork(t *testing.T) {
	r := newRig(t, rigOptions{})
	var last *client
	for range 2*lookedAt + 10 {
		last = r.open(principal("alice"))
		last.tell(subscribeTo("a"))
	}
	r.settle()
	answers := make(chan Survey, 1)
	turns := 0
	r.loop.Post(func() {
		r.shard.survey(t.Context(), SurveyQuery{Limit: 3}, func(s Survey) { answers <- s })
	})
	for len(answers) == 0 {
		if turns++; turns == 2 {
			last.hang()
		}
		if !r.loop.turn(r.shard, time.Second) {
			t.Fatal("the loop rests, and the survey has not ended")
		}
	}
	// A session counts as one and its subscription as another.
	if survey := <-answers; turns < 4 || survey.Subscriptions != 2*lookedAt+9 {
		t.Errorf("%d subscriptions in %d turns", survey.Subscriptions, turns)
	}
}

// deaf is a loop that never gets to what is posted.
type deaf struct{}

func (deaf) Post(func()) bool { return true }
func (deaf) Wake()            {}

// ended is a loop that is no more.
type ended struct{ deaf }

func (ended) Post(func()) bool { return false }

func TestASurveyWaitsForNobodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), AskTimeout)
		defer cancel()
		settings := Settings{}.WithDefaults()
		shards := []*Shard{NewShard(settings, deaf{}, 0), NewShard(settings, ended{}, 1)}
		if got := Surveys(ctx, shards, SurveyQuery{}); len(got) != 0 {
			t.Errorf("got %+v of a loop that does not answer and one that has ended", got)
		}
	})
}

func TestWorstBreaksTiesByName(t *testing.T) {
	surveys := []Survey{
		{Behind: []Lagging{{Channel: "b", Lag: 5}, {Channel: "a", Lag: 5}}},
		{Behind: []Lagging{{Channel: "c", Lag: 9}}},
	}
	var names []wire.ChannelName
	for _, l := range Worst(surveys, 5) {
		names = append(names, l.Channel)
	}
	if fmt.Sprint(names) != "[c a b]" {
		t.Errorf("the order is %v", names)
	}
}
