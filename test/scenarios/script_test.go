package scenarios_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"
)

// script is one dialogue, as a file of protocol/scenarios has it; the README there tells the format.
type script struct {
	config string // of the gateway, or empty: development mode
	steps  []step
}

// step is one line of a dialogue.
type step struct {
	line   int // in the file
	client string
	times  int
	verb   string // ">", "<", "~", or a word: open, asks, ping, close, closed, cut
	form   string // of ">": "", "text", "hex" or "hold"
	rest   string
}

var (
	exchangeLine = regexp.MustCompile(`^([A-Z])(?:\*([0-9]+))?(>text|>hex|>hold|>|<|~) (.+)$`)
	actionLine   = regexp.MustCompile(`^([A-Z]) (open|asks|ping|close|closed|cut)(?: (.+))?$`)
)

func parseScript(data []byte) (*script, error) {
	archive := txtar.Parse(data)
	if len(strings.TrimSpace(string(archive.Comment))) == 0 {
		return nil, fmt.Errorf("no words before the first section tell what the dialogue shows")
	}
	s := &script{}
	line := strings.Count(string(archive.Comment), "\n") + 1
	for _, f := range archive.Files {
		var err error
		switch f.Name {
		case "config.yaml":
			s.config = string(f.Data)
		case "dialogue":
			s.steps, err = parseSteps(string(f.Data), line)
		default:
			err = fmt.Errorf("line %d: no section is named %q", line, f.Name)
		}
		if err != nil {
			return nil, err
		}
		line += strings.Count(string(f.Data), "\n") + 1
	}
	if len(s.steps) == 0 {
		return nil, fmt.Errorf("there is no dialogue")
	}
	return s, nil
}

// parseSteps reads the lines below the one with the number heading.
func parseSteps(text string, heading int) ([]step, error) {
	var steps []step
	for i, line := range strings.Split(text, "\n") {
		number := heading + 1 + i
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if m := exchangeLine.FindStringSubmatch(line); m != nil {
			times := 1
			if m[2] != "" {
				var err error
				if times, err = strconv.Atoi(m[2]); err != nil {
					return nil, fmt.Errorf("line %d: %w", number, err)
				}
			}
			verb, form := m[3][:1], m[3][1:]
			steps = append(steps, step{line: number, client: m[1], times: times, verb: verb, form: form, rest: m[4]})
			continue
		}
		m := actionLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("line %d: not understood: %s", number, line)
		}
		steps = append(steps, step{line: number, client: m[1], times: 1, verb: m[2], rest: m[3]})
	}
	return steps, nil
}
