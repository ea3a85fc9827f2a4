package target

import (
	"reflect"
	"strings"
	"testing"
)

const payload = "abcdefgh"

// words is what each target says and hears, as its server's documentation has it.
var words = []struct {
	target string
	say    map[Kind]string
	hear   map[string][]Event
}{
	{
		target: "magpie",
		say: map[Kind]string{
			Connect:   ``,
			Subscribe: `{"type":"subscribe","requestId":"s","channel":"bench.7"}`,
			Publish:   `{"type":"publish","channel":"bench.7","data":"abcdefgh"}`,
			Echo:      `{"type":"call","requestId":"1","method":"magpie.echo","data":"abcdefgh"}`,
			Pong:      ``,
			Prepare:   ``,
			Store:     `{"type":"publish","requestId":"5","channel":"bench.7","messageId":"abcdefgh.3.5","data":"abcdefgh"}`,
			Attend:    ``,
			Serve:     `{"type":"serve","requestId":"s","method":"pricing.quote","concurrency":10000}`,
			Call:      `{"type":"call","requestId":"5","method":"pricing.quote","data":"abcdefgh"}`,
			Answer:    `{"type":"reply","requestId":"9","data":"abcdefgh"}`,
		},
		hear: map[string][]Event{
			`{"type":"published","requestId":"5","position":{"epoch":"k3","offset":42},"duplicate":false}`:                                            {{Kind: Message, Sequence: 5, Offset: 42}},
			`{"type":"connected","sessionId":"x"}`:                                                                                                    nil,
			`{"type":"subscribed","requestId":"s","channel":"bench.7","position":{"epoch":"k3","offset":41},"tail":57}`:                               {{Kind: Ack, Place: Place{"k3", 41}}},
			`{"type":"message","channel":"bench.7","offset":42,"publisher":"dev","timestamp":1,"data":"abcdefgh"}`:                                    {{Kind: Message, Offset: 42, Payload: []byte(payload)}},
			`{"type":"reply","requestId":"1","data":"abcdefgh"}`:                                                                                      {{Kind: Message, Sequence: 1, Payload: []byte(payload)}},
			`{"type":"served","requestId":"s","method":"pricing.quote"}`:                                                                              {{Kind: Ack}},
			`{"type":"call","requestId":"s9","method":"pricing.quote","caller":{"userId":"dev","sessionId":"x"},"timeoutMs":30000,"data":"abcdefgh"}`: {{Kind: Called, ID: []byte("s9"), Payload: []byte(payload)}},
			`{"type":"published","position":{"epoch":"k3","offset":42},"duplicate":false}`:                                                            nil,
			`{"type":"gap","channel":"bench.7"}`:                                                                                                      {{Kind: Refused, Reason: `{"type":"gap","channel":"bench.7"}`}},
		},
	},
	{
		target: "nats",
		say: map[Kind]string{
			Connect:   "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"go\",\"version\":\"1\",\"protocol\":1}\r\nPING\r\n",
			Subscribe: "SUB bench.7 1\r\nPING\r\n",
			Listen:    "SUB echo.3 1\r\nPING\r\n",
			Publish:   "PUB bench.7 8\r\nabcdefgh\r\n",
			Echo:      "PUB echo.3 8\r\nabcdefgh\r\n",
			Pong:      "PONG\r\n",
			Prepare: "SUB _ack.3.* 2\r\nPUB $JS.API.STREAM.CREATE.bench _ack.3.0 94\r\n" +
				`{"name":"bench","subjects":["bench.>"],"retention":"limits","storage":"file","num_replicas":1}` + "\r\n",
			Store:  "PUB bench.7 _ack.3.5 8\r\nabcdefgh\r\n",
			Attend: "SUB _INBOX.3 4\r\nPING\r\n",
			Serve:  "SUB pricing.quote servers 3\r\nPING\r\n",
			Call:   "PUB pricing.quote _INBOX.3 8\r\nabcdefgh\r\n",
			Answer: "PUB 9 8\r\nabcdefgh\r\n",
		},
		hear: map[string][]Event{
			"MSG _ack.3.5 2 26\r\n" + `{"stream":"bench","seq":9}` + "\r\n": {{Kind: Message, Sequence: 5, Offset: 9}},
			"MSG _ack.3.0 2 15\r\n" + `{"config":true}` + "\r\n":            {{Kind: Ack}},
			"MSG _ack.3.5 2 12\r\n" + `{"error":{}}` + "\r\n":               {{Kind: Refused, Reason: `{"error":{}}`}},
			"MSG pricing.quote 3 _INBOX.7 8\r\nabcdefgh\r\n":                {{Kind: Called, ID: []byte("_INBOX.7"), Payload: []byte(payload)}},
			"MSG _INBOX.3 4 8\r\nabcdefgh\r\n":                              {{Kind: Message, Payload: []byte(payload)}},
			"INFO {}\r\n":                                                   nil,
			"PONG\r\n":                                                      {{Kind: Ack}},
			"MSG bench.7 1 8\r\nabcdefgh\r\nPING\r\nMSG bench.7 1 8\r\n\r\n\r\n\r\n\r\n\r\n": {
				{Kind: Message, Payload: []byte(payload)}, {Kind: Ping}, {Kind: Message, Payload: []byte("\r\n\r\n\r\n\r\n")},
			},
			"-ERR 'no'\r\n":           {{Kind: Refused, Reason: "-ERR 'no'"}},
			"MSG bench.7 1 8\r\nabc":  {{Kind: Refused, Reason: "a message of 8 bytes in 3"}},
			"PONG\r\nMSG bench.7 1 8": {{Kind: Ack}, {Kind: Refused, Reason: "half a line: MSG bench.7 1 8"}},
		},
	},
	{
		target: "socketio",
		say: map[Kind]string{
			Connect:   `40`,
			Subscribe: `42["s","bench.7"]`,
			Publish:   `42["p","bench.7","abcdefgh"]`,
			Echo:      `42["e","abcdefgh"]`,
			Pong:      `3`,
		},
		hear: map[string][]Event{
			`0{"sid":"x"}`:       nil,
			`40{"sid":"x"}`:      {{Kind: Ack}},
			`42["s"]`:            {{Kind: Ack}},
			`42["m","abcdefgh"]`: {{Kind: Message, Payload: []byte(payload)}},
			`2`:                  {{Kind: Ping}},
			`44{"message":"no"}`: {{Kind: Refused, Reason: `44{"message":"no"}`}},
		},
	},
	{
		target: "centrifugo",
		say: map[Kind]string{
			Connect:   `{"id":1,"connect":{}}`,
			Subscribe: `{"id":1,"subscribe":{"channel":"bench.7"}}`,
			Listen:    `{"id":1,"subscribe":{"channel":"echo.3"}}`,
			Publish:   `{"id":2,"publish":{"channel":"bench.7","data":"abcdefgh"}}`,
			Echo:      `{"id":2,"publish":{"channel":"echo.3","data":"abcdefgh"}}`,
			Pong:      `{}`,
		},
		hear: map[string][]Event{
			`{"id":1,"connect":{"client":"x","version":"6"}}`:                                                                   {{Kind: Ack}},
			`{"id":2,"publish":{}}`:                                                                                             nil,
			"{}\n" + `{"push":{"channel":"bench.7","pub":{"data":"abcdefgh","offset":9}}}`:                                      {{Kind: Ping}, {Kind: Message, Payload: []byte(payload), Offset: 9}},
			`{"push":{"channel":"bench.7","pub":{"data":"abcdefgh"}}}`:                                                          {{Kind: Message, Payload: []byte(payload)}},
			`{"id":1,"error":{"code":103,"message":"permission denied"}}`:                                                       {{Kind: Refused, Reason: `{"id":1,"error":{"code":103,"message":"permission denied"}}`}},
			`{"id":1,"subscribe":{"epoch":"xx","offset":5,"publications":[{"data":"abcdefgh","offset":5}],"recoverable":true}}`: {{Kind: Ack, Place: Place{"xx", 5}}, {Kind: Message, Payload: []byte(payload), Offset: 5}},
		},
	},
	{
		target: "limit",
		say:    map[Kind]string{Connect: "", Subscribe: "S7 ", Publish: "P7 abcdefgh", Echo: "E0 abcdefgh"},
		hear: map[string][]Event{
			`{"type":"reply","requestId":"1","data":"abcdefgh"}`: {{Kind: Message, Sequence: 1, Payload: []byte(payload)}},
		},
	},
	{
		target: "grpc",
		say: map[Kind]string{
			Connect: "", Attend: "", Pong: "",
			Serve:  "\x08\x01\x1a\x0dpricing.quote\x20\x90\x4e",
			Call:   "\x08\x03\x10\x05\x1a\x0dpricing.quote\x2a\x08abcdefgh",
			Answer: "\x08\x04\x10\x09\x2a\x08abcdefgh",
		},
		hear: map[string][]Event{
			"\x08\x02":                         {{Kind: Ack}},
			"\x08\x03\x10\x09\x2a\x08abcdefgh": {{Kind: Called, ID: []byte("9"), Payload: []byte(payload)}},
			"\x08\x04\x10\x05\x2a\x08abcdefgh": {{Kind: Message, Sequence: 5, Payload: []byte(payload)}},
			"\x08\x05\x10\x05\x2a\x07nobody!":  {{Kind: Refused, Reason: "frame 5: nobody!"}},
			"\x08":                             {{Kind: Refused, Reason: "a frame that is none: unexpected EOF"}},
		},
	},
}

func TestTargetsSpeakTheirProtocols(t *testing.T) {
	for _, w := range words {
		x, err := New(w.target, Options{Payload: len(payload)})
		if err != nil {
			t.Fatal(err)
		}
		for kind, want := range w.say {
			got := string(x.Append([]byte("before"), Command{Kind: kind, Line: 3, Channel: 7, Sequence: 5, ID: []byte("9"), Payload: []byte(payload)}))
			if got != "before"+want {
				t.Errorf("%s says %q for %d, want %q", w.target, got, kind, want)
			}
		}
		for message, want := range w.hear {
			if got := x.Parse(nil, []byte(message)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s takes %q for %+v, want %+v", w.target, message, got, want)
			}
		}
	}
}

func TestResuming(t *testing.T) {
	after := Command{Kind: Subscribe, Channel: 7, After: Place{"k3", 41}}
	for name, want := range map[string]string{
		"magpie":     `{"type":"subscribe","requestId":"s","channel":"bench.7","from":{"epoch":"k3","offset":41}}`,
		"centrifugo": `{"id":1,"subscribe":{"channel":"bench.7","recover":true,"epoch":"k3","offset":41}}`,
	} {
		x, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(x.Append(nil, after)); got != want {
			t.Errorf("%s resumes with %s, want %s", name, got, want)
		}
	}
}

func TestFiltersAndRecords(t *testing.T) {
	x, err := New("magpie", Options{Payload: len(payload), Records: true})
	if err != nil {
		t.Fatal(err)
	}
	records := []Record{
		{Tags: []byte(`{"level":"warn"}`), Data: []byte(`{"a":1,"trace_id":"abcdefgh"}`)},
		{Tags: []byte(`{}`), Data: []byte(`{"trace_id":"hgfedcba"}`)},
	}
	for want, c := range map[string]Command{
		`{"type":"subscribe","requestId":"s","channel":"bench.7","filter":"a~\"\\d+\""}`: {Kind: Subscribe, Channel: 7, Filter: `a~"\d+"`},
		`{"type":"publish","requestId":"5","channel":"bench.7","messages":[{"tags":{"level":"warn"},"data":{"a":1,"trace_id":"abcdefgh"}},` +
			`{"tags":{},"data":{"trace_id":"hgfedcba"}}]}`: {Kind: Batch, Channel: 7, Sequence: 5, Records: records},
	} {
		if got := string(x.Append(nil, c)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for message, want := range map[string]Event{
		`{"type":"message","channel":"bench.7","offset":42,"prev":17,"timestamp":1,"tags":{"level":"warn"},"data":{"a":1,"trace_id":"abcdefgh"}}`: {
			Kind: Message, Offset: 42, Prev: 17, Payload: []byte(payload),
		},
		`{"type":"position","channel":"bench.7","position":{"epoch":"k3","offset":1041}}`: {Kind: Moved, Offset: 1041},
		`{"type":"gap","channel":"bench.7","epoch":"k3","fromOffset":42,"toOffset":57,"reason":"retention"}`: {
			Kind: Refused, Gap: Gap{42, 57}, Reason: `{"type":"gap","channel":"bench.7","epoch":"k3","fromOffset":42,"toOffset":57,"reason":"retention"}`,
		},
		`{"type":"published","requestId":"5","results":[{"position":{"epoch":"k3","offset":7}},{"position":{"epoch":"k3","offset":8}}]}`: {
			Kind: Message, Sequence: 5, Offset: 7,
		},
		`{"type":"published","requestId":"5","results":[{"error":{"code":"unavailable"}}]}`: {
			Kind: Refused, Reason: `{"type":"published","requestId":"5","results":[{"error":{"code":"unavailable"}}]}`,
		},
	} {
		if got := x.Parse(nil, []byte(message)); !reflect.DeepEqual(got, []Event{want}) {
			t.Errorf("%s is taken for %+v, want %+v", message, got, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	const token = "secret-token"
	for name, kind := range map[string]Kind{"nats": Connect, "centrifugo": Connect} {
		x, err := New(name, Options{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(x.Append(nil, Command{Kind: kind})); !strings.Contains(got, `"`+token+`"`) {
			t.Errorf("%s connects with %s", name, got)
		}
	}
	x, err := New("magpie", Options{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Upgrade().Header; got != "Authorization: Bearer "+token+"\r\n" {
		t.Errorf("magpie upgrades with %q", got)
	}
}

func TestNames(t *testing.T) {
	for _, name := range Names() {
		if _, err := New(name, Options{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := New("kafka", Options{}); err == nil || !strings.Contains(err.Error(), "magpie, nats") {
		t.Errorf("an unknown target: %v", err)
	}
}

func BenchmarkParseMagpie(b *testing.B) {
	x, err := New("magpie", Options{Payload: 128})
	if err != nil {
		b.Fatal(err)
	}
	message := []byte(`{"type":"message","channel":"bench.7","offset":42,"publisher":"dev","timestamp":1795220090824,"data":"` + strings.Repeat("x", 128) + `"}`)
	var events []Event
	for b.Loop() {
		events = x.Parse(events[:0], message)
	}
}
