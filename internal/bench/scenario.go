package bench

import (
	"fmt"
	"strings"
)

// scenario makes the traffic of one stage and measures it.
type scenario func(*stage) error

// Scenarios lists what can be measured, with a few words on each.
func Scenarios() [][2]string {
	return [][2]string{
		{"idle", "lines that are connected and subscribed, and nothing else: memory and rest"},
		{"fanout", "one channel that every line reads"},
		{"channels", "many channels with a few readers each, published to at random"},
		{"publish", "a message on every line that is acknowledged when it is stored, again and again"},
		{"echo", "a round trip on every line, again and again"},
		{"call", "lines that call what others serve, again and again"},
		{"filters", "one channel of log records, of which every line views what its filter lets through"},
		{"connect", "lines that connect and subscribe, are dropped, and come again"},
		{"storm", "every line is dropped at once, returns at once, and is to have missed nothing"},
		{"comeback", "every line returns at once to many messages that it has missed"},
		{"replay", "the same of lines that have connected already, and subscribe at once"},
		{"mixed", "a small channel at a steady pace beside one that takes all there is: the latency of the small one"},
		{"handshakes", "connections that stop in the middle of their handshake: memory"},
	}
}

func scenarioOf(name string) (scenario, error) {
	switch name {
	case "idle":
		return idle, nil
	case "fanout":
		return fanout, nil
	case "channels":
		return channels, nil
	case "publish":
		return publish, nil
	case "echo":
		return echo, nil
	case "call":
		return call, nil
	case "filters":
		return filters, nil
	case "connect":
		return connect, nil
	case "storm":
		return storm, nil
	case "comeback":
		return comeback, nil
	case "replay":
		return replay, nil
	case "mixed":
		return mixed, nil
	case "handshakes":
		return handshakes, nil
	}
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s[0])
	}
	return nil, fmt.Errorf("there is no scenario %q: choose one of %s", name, strings.Join(names, ", "))
}
