package session

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// verb is what one step of a story does.
type verb uint8

const (
	doPublish verb = iota
	doSubscribe
	doUnsubscribe
	doHistory
	doStop   // a client stops reading
	doTake   // it takes some bytes
	doTakeIn // it takes everything
	doListen
	doRest   // everything comes to rest, and is checked
	doResume // a line breaks, and the session goes on on another
	doReturn // the client has a new session, and subscribes from its own positions
)

var verbs = [...]string{"publish", "subscribe", "unsubscribe", "history", "stop", "take", "take all", "listen", "rest", "resume", "return"}

// step is one of a story. It makes sense wherever it stands, so that a story of which some steps are left out is one as well.
type step struct {
	verb   verb
	client int
	name   wire.ChannelName // a channel, or a pattern
	filter string
	from   wire.StartKind
	n      int  // how many, or how far
	odd    bool // in reverse; a position of another epoch; without having read what has come; the old line stays open
	turns  int  // of the loop after it
}

func (s step) String() string {
	return fmt.Sprintf("%-11s client %d  %s %q from %d, n %d, odd %t, turns %d", verbs[s.verb], s.client, s.name, s.filter, s.from, s.n, s.odd, s.turns)
}

// What stories are made of. Channels that begin with smallPrefix are of a namespace that keeps little.
const (
	smallPrefix  = "chat."
	smallKept    = 8
	storyClients = 3
)

var (
	storyChannels = []wire.ChannelName{"order.1", "order.2", "order.eu.1", "chat.1", "chat.2", "chat.2.x"}
	storyPatterns = []wire.ChannelName{"order.*", "order.>", "chat.*", "chat.>", "*.1"}
	storyColors   = []string{"red", "green", "blue"}
)

// newStory makes one up.
func newStory(seed uint64, length int) []step {
	random := rand.New(rand.NewPCG(seed, 5))
	filters := slices.Sorted(maps.Keys(sieves))
	weights := []int{30, 16, 6, 5, 5, 8, 5, 6, 4, 3, 3}
	var story []step
	for range length {
		n := random.IntN(91)
		s := step{client: random.IntN(storyClients), n: random.IntN(1000), odd: random.IntN(4) == 0, turns: random.IntN(4)}
		for n >= weights[s.verb] {
			n -= weights[s.verb]
			s.verb++
		}
		s.name = storyChannels[random.IntN(len(storyChannels))]
		if s.verb == doSubscribe || s.verb == doUnsubscribe {
			if random.IntN(5) < 2 {
				s.name = storyPatterns[random.IntN(len(storyPatterns))]
			}
			if s.from = wire.StartKind(random.IntN(4)); random.IntN(2) == 0 {
				s.filter = filters[random.IntN(len(filters))]
			}
		}
		if s.verb == doHistory {
			s.from = wire.StartKind(2 * random.IntN(2))
		}
		story = append(story, s)
	}
	return story
}
