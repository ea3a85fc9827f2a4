package session

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestDialogues plays testdata/dialogues. A line "-> frame" is sent; what it led to must be the lines
// "<- frame" that follow, in their order, and nothing else. A member of an expected frame must be there as
// written; "*" stands for any value, "$name" for the value it stood for first, in sent frames too, and members that are
// not written are not looked at. "<- close N" is the end of the line. "user nobody" says that the request was not
// authenticated, "publish channel text" that somebody else publishes.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, format := range []lineFormat{jsonLine, protobufLine} {
				if format == protobufLine && strings.Contains(string(text), "# JSON only") {
					continue
				}
				t.Run(format.codec.String(), func(t *testing.T) {
					d := dialogue{t: t, rig: newRig(t, rigOptions{}), names: map[string]any{}}
					user := principal("alice")
					if strings.Contains(string(text), "\nuser nobody\n") {
						user = nil
					}
					d.play(string(text), user, format)
				})
			}
		})
	}
}

type dialogue struct {
	t     *testing.T
	rig   *rig
	c     *client
	names map[string]any
	heard []event // and not expected yet
	line  int
}

func (d *dialogue) play(text string, user *auth.Principal, format lineFormat) {
	d.c = d.rig.openAs(user, format)
	for i, line := range strings.Split(text, "\n") {
		d.line = i + 1
		verb, rest, _ := strings.Cut(line, " ")
		switch verb {
		case "", "#", "user":
		case "->":
			d.quiet()
			d.say(rest)
		case "publish":
			d.quiet()
			name, payload, _ := strings.Cut(rest, " ")
			d.rig.publish(wire.ChannelName(name), payload)
			d.rig.settle()
			d.heard = append(d.heard, d.c.hear()...)
		case "<-":
			d.expect(rest)
		default:
			d.t.Fatalf("line %d: %q is no line of a dialogue", d.line, line)
		}
	}
	d.quiet()
}

func (d *dialogue) say(frame string) {
	for name, value := range d.names {
		frame = strings.ReplaceAll(frame, name, fmt.Sprint(value))
	}
	d.c.say(frame)
	d.rig.await("a worker looks at the token", func() bool { return d.c.s.state != stateAuthenticating })
	d.heard = append(d.heard, d.c.hear()...)
}

// quiet checks that nothing was heard but what was expected.
func (d *dialogue) quiet() {
	for _, e := range d.heard {
		d.t.Errorf("before line %d: unexpected %v", d.line, e)
	}
	d.heard = nil
}

func (d *dialogue) expect(want string) {
	if len(d.heard) == 0 {
		d.t.Fatalf("line %d: nothing was heard, want %s", d.line, want)
	}
	got := d.heard[0]
	d.heard = d.heard[1:]
	if code, ok := strings.CutPrefix(want, "close "); ok {
		if fmt.Sprint(got.code) != code {
			d.t.Fatalf("line %d: heard %v, want %s", d.line, got, want)
		}
		return
	}
	var wanted, heard any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		d.t.Fatalf("line %d: %v", d.line, err)
	}
	if err := json.Unmarshal([]byte(got.String()), &heard); err != nil {
		d.t.Fatalf("line %d: heard %v: %v", d.line, got, err)
	}
	if !d.match(wanted, heard) {
		d.t.Fatalf("line %d: heard %v\nwant %s", d.line, got, want)
	}
}

func (d *dialogue) match(want, got any) bool {
	switch want := want.(type) {
	case string:
		if want == "*" {
			return true
		}
		if strings.HasPrefix(want, "$") {
			if known, ok := d.names[want]; ok {
				return reflect.DeepEqual(known, got)
			}
			d.names[want] = got
			return true
		}
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for name, value := range want {
			member, there := members[name]
			if !there || !d.match(value, member) {
				return false
			}
		}
		return true
	case []any:
		items, ok := got.([]any)
		if !ok || len(items) != len(want) {
			return false
		}
		for i := range want {
			if !d.match(want[i], items[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}
