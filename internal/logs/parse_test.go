package logs_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/logs"
)

// now is when the tests' lines are read: shortly after they were written.
var now = time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)

func defaults() logs.Defaults { return logs.Defaults{Location: time.UTC, Now: now} }

func TestParse(t *testing.T) {
	for _, group := range [][]golden{jsonLines, syslogLines, textLines, plainLines} {
		for _, tt := range group {
			t.Run(tt.name, func(t *testing.T) {
				r := logs.Parse([]byte(tt.line), defaults())
				if got := string(r.AppendJSON(nil)); got != tt.want {
					t.Errorf("%s\n got %s\nwant %s", tt.line, got, tt.want)
				}
			})
		}
	}
}

type golden struct{ name, line, want string }

var jsonLines = []golden{
	{
		"slog",
		`{"time":"2026-11-20T10:00:00.123456789+01:00","level":"INFO","msg":"hello","n":12345678901234567890,"g":{"b":[1, 2.50]}}`,
		`{"timestamp":"2026-11-20T09:00:00.123456789Z","level":"info","message":"hello","fields":{"n":12345678901234567890,"g":{"b":[1, 2.50]}}}`,
	},
	{
		"slog level between",
		`{"time":"2026-11-20T10:00:00Z","level":"INFO+2","msg":"hello"}`,
		`{"timestamp":"2026-11-20T10:00:00Z","level":"info","message":"hello","fields":{"level":"INFO+2"}}`,
	},
	{
		"zap",
		`{"level":"warn","ts":1789000000.25,"logger":"order","caller":"a/b.go:1","msg":"slow","traceId":"abc"}`,
		`{"timestamp":"2026-09-10T00:26:40.25Z","level":"warn","service":"order","message":"slow","trace_id":"abc","fields":{"caller":"a/b.go:1"}}`,
	},
	{
		"logrus",
		`{"level":"warning","msg":"x","time":"2026-11-20T10:00:00Z","service":"pay","logger":"l"}`,
		`{"timestamp":"2026-11-20T10:00:00Z","level":"warn","service":"pay","message":"x","fields":{"logger":"l"}}`,
	},
	{
		"logstash encoder",
		`{"@timestamp":"2026-11-20T10:00:00.5Z","@version":"1","message":"boom\n\tat A.b(A.java:1)","logger_name":"com.acme.A","thread_name":"main","level":"ERROR","level_value":40000}`,
		`{"timestamp":"2026-11-20T10:00:00.5Z","level":"error","service":"com.acme.A","message":"boom\n\tat A.b(A.java:1)","fields":{"@version":"1","thread_name":"main","level_value":40000}}`,
	},
	{
		"logback json",
		`{"timestamp":1789000000123,"level":"TRACE","loggerName":"x.Y","message":"m"}`,
		`{"timestamp":"2026-09-10T00:26:40.123Z","level":"trace","service":"x.Y","message":"m"}`,
	},
	{
		"pino",
		`{"level":50,"time":1789000000123,"pid":7,"hostname":"h","name":"api","msg":"bad"}`,
		`{"timestamp":"2026-09-10T00:26:40.123Z","level":"error","service":"api","message":"bad","fields":{"pid":7,"hostname":"h"}}`,
	},
	{
		"bunyan",
		`{"name":"api","hostname":"h","pid":7,"level":35,"msg":"m","time":"2026-11-20T10:00:00.000Z","v":0}`,
		`{"timestamp":"2026-11-20T10:00:00Z","level":"info","service":"api","message":"m","fields":{"hostname":"h","pid":7,"level":35,"v":0}}`,
	},
	{
		"a name is not always the service",
		`{"level":"info","msg":"created","name":"Bob"}`,
		`{"level":"info","message":"created","fields":{"name":"Bob"}}`,
	},
	{
		"ECS dotted",
		`{"@timestamp":"2026-11-20T10:00:00.000Z","log.level":"FATAL","message":"m","service.name":"s","trace.id":"t1","log.logger":"L"}`,
		`{"timestamp":"2026-11-20T10:00:00Z","level":"fatal","service":"s","message":"m","trace_id":"t1","fields":{"log.logger":"L"}}`,
	},
	{
		"ECS nested",
		`{"@timestamp":"2026-11-20T10:00:00Z","log":{"level":"warn","logger":"L"},"message":"m","service":{"name":"s","version":"2"},"trace":{"id":"t1"}}`,
		`{"timestamp":"2026-11-20T10:00:00Z","level":"warn","service":"s","message":"m","trace_id":"t1","fields":{"log":{"level":"warn","logger":"L"},"service":{"name":"s","version":"2"},"trace":{"id":"t1"}}}`,
	},
	{
		"docker, text inside",
		`{"log":"2026-11-20 10:00:01,250 ERROR [main] com.acme.A - boom\n","stream":"stderr","time":"2026-11-20T10:00:02.123456789Z"}`,
		`{"timestamp":"2026-11-20T10:00:01.25Z","level":"error","service":"com.acme.A","message":"boom","fields":{"stream":"stderr","thread":"main"}}`,
	},
	{
		"docker, JSON inside",
		`{"log":"{\"level\":\"warn\",\"msg\":\"a \\\"b\\\"\",\"k\":1e400}\n","stream":"stdout","time":"2026-11-20T10:00:02Z"}`,
		`{"timestamp":"2026-11-20T10:00:02Z","level":"warn","message":"a \"b\"","fields":{"stream":"stdout","k":1e400}}`,
	},
	{
		"epochs",
		`{"time":1789000000,"ts":1789000000123456,"t":1789000000123456789,"msg":"first of a rank wins"}`,
		`{"timestamp":"2026-09-10T00:26:40Z","message":"first of a rank wins","fields":{"ts":1789000000123456,"t":1789000000123456789}}`,
	},
	{
		"microseconds", `{"ts":1789000000123456,"msg":""}`,
		`{"timestamp":"2026-09-10T00:26:40.123456Z","message":""}`,
	},
	{
		"nanoseconds", `{"ts":"1789000000123456789","msg":""}`,
		`{"timestamp":"2026-09-10T00:26:40.123456789Z","message":""}`,
	},
	{
		"no time at all",
		`{"time":12.5,"level":"high","message":{"a":1},"trace_id":7,"service":["x"]}`,
		`{"message":"","fields":{"time":12.5,"level":"high","message":{"a":1},"trace_id":7,"service":["x"]}}`,
	},
	{
		"twice", `{"msg":"a","message":"b","msg":"c"}`,
		`{"message":"a","fields":{"message":"b","msg":"c"}}`,
	},
	{"empty object", ` {} `, `{"message":""}`},
	{"spaces", ` { "msg" : "a" , "k" : [ 1 , "]" ] } `, `{"message":"a","fields":{"k":[ 1 , "]" ]}}`},
	{"escaped quotes", `{"msg":"a\\","k":"\\\"}","l":"\u00e4"}`, `{"message":"a\\","fields":{"k":"\\\"}","l":"\u00e4"}}`},
	{"not UTF-8", "{\"msg\":\"a\xff\",\"k\":\"\xfe\"}", `{"message":"a` + "\uFFFD" + `","fields":{"k":"` + "\uFFFD" + `"}}`},
	{"broken JSON", `{"msg":"a"`, `{"message":"{\"msg\":\"a\""}`},
}

var syslogLines = []golden{
	{
		"RFC 3164 in a file",
		`Nov 20 23:14:00 web1 sshd[4242]: Accepted publickey for root`,
		`{"timestamp":"2026-11-20T23:14:00Z","service":"sshd","message":"Accepted publickey for root","fields":{"host":"web1","pid":4242}}`,
	},
	{
		"one digit, last year",
		`Dec  3 01:02:03 web1 kernel: [ 12.5] eth0 up`,
		`{"timestamp":"2025-12-03T01:02:03Z","service":"kernel","message":"[ 12.5] eth0 up","fields":{"host":"web1"}}`,
	},
	{
		"level in the message",
		`Nov 20 23:14:00 h sshd[1]: error: no key`,
		`{"timestamp":"2026-11-20T23:14:00Z","level":"error","service":"sshd","message":"no key","fields":{"host":"h","pid":1}}`,
	},
	{
		"no program",
		`Nov 20 23:14:00 web1 last message repeated 3 times`,
		`{"timestamp":"2026-11-20T23:14:00Z","message":"web1 last message repeated 3 times"}`,
	},
	{
		"RFC 3164 on the network",
		`<34>Oct 11 22:14:15 mymachine su: 'su root' failed`,
		`{"timestamp":"2026-10-11T22:14:15Z","level":"fatal","service":"su","message":"'su root' failed","fields":{"host":"mymachine","priority":34}}`,
	},
	{
		"RFC 5424",
		`<165>1 2026-10-11T22:14:15.003Z h.example evntslog 12 ID47 [a@1 x="\]" y="2"][b@1] An event`,
		`{"timestamp":"2026-10-11T22:14:15.003Z","level":"info","service":"evntslog","message":"An event","fields":{"structured_data":"[a@1 x=\"\\]\" y=\"2\"][b@1]","host":"h.example","pid":"12","msgid":"ID47","priority":165}}`,
	},
	{"not a priority", `<34>hello`, `{"message":"<34>hello"}`},
	{
		"Debian 12",
		`2026-11-20T23:14:00.123456+01:00 web1 systemd[1]: Started foo.service - Foo.`,
		`{"timestamp":"2026-11-20T22:14:00.123456Z","service":"systemd","message":"Started foo.service - Foo.","fields":{"host":"web1","pid":1}}`,
	},
	{
		"container runtime",
		`2026-11-20T23:14:00.123456789Z stderr F {"level":"info","msg":"x"}`,
		`{"timestamp":"2026-11-20T23:14:00.123456789Z","level":"info","message":"x","fields":{"stream":"stderr"}}`,
	},
	{
		"glog",
		`W1120 23:14:00.123456    1234 file.go:12] careful: [x] y`,
		`{"timestamp":"2026-11-20T23:14:00.123456Z","level":"warn","message":"careful: [x] y","fields":{"pid":1234,"caller":"file.go:12"}}`,
	},
}

var textLines = []golden{
	{
		"logback",
		`23:14:00.123 [main] INFO  com.acme.Order - placed`,
		`{"level":"info","service":"com.acme.Order","message":"placed","fields":{"thread":"main","time":"23:14:00.123"}}`,
	},
	{
		"logback with key values",
		`23:14:00.123 [http-1] WARN  c.a.Order -- a - b`,
		`{"level":"warn","service":"c.a.Order","message":"a - b","fields":{"thread":"http-1","time":"23:14:00.123"}}`,
	},
	{
		"log4j",
		`2026-11-20 23:14:00,123 ERROR [pool-1] com.acme.Order - failed` + "\njava.lang.E: x\n\tat A.b(A.java:1)",
		`{"timestamp":"2026-11-20T23:14:00.123Z","level":"error","service":"com.acme.Order","message":"failed\njava.lang.E: x\n\tat A.b(A.java:1)","fields":{"thread":"pool-1"}}`,
	},
	{
		"Spring Boot",
		`2026-11-20T23:14:00.123+01:00  INFO 4242 --- [shop] [           main] o.s.b.w.TomcatWebServer  : Tomcat started on port 8080`,
		`{"timestamp":"2026-11-20T22:14:00.123Z","level":"info","service":"shop","message":"Tomcat started on port 8080","fields":{"pid":4242,"thread":"main","logger":"o.s.b.w.TomcatWebServer"}}`,
	},
	{
		"Python",
		`2026-11-20 23:14:00,123 - app.db - CRITICAL - gone`,
		`{"timestamp":"2026-11-20T23:14:00.123Z","level":"fatal","service":"app.db","message":"gone","fields":{"level":"CRITICAL"}}`,
	},
	{"Python basic", `WARNING:root:careful: x`, `{"level":"warn","service":"root","message":"careful: x"}`},
	{
		"Go log",
		`2026/11/20 23:14:00.000001 main.go:7: listening`,
		`{"timestamp":"2026-11-20T23:14:00.000001Z","message":"main.go:7: listening"}`,
	},
	{
		"nginx error",
		`2026/11/20 23:14:00 [error] 12#13: *5 open() "/x" failed (2: No such file)`,
		`{"timestamp":"2026-11-20T23:14:00Z","level":"error","service":"nginx","message":"*5 open() \"/x\" failed (2: No such file)","fields":{"pid":12,"tid":13}}`,
	},
	{
		"nginx access",
		`10.0.0.1 - bob [20/Nov/2026:23:14:00 +0100] "GET /a HTTP/1.1" 502 12 "-" "curl/8"`,
		`{"timestamp":"2026-11-20T22:14:00Z","level":"error","message":"10.0.0.1 - bob [20/Nov/2026:23:14:00 +0100] \"GET /a HTTP/1.1\" 502 12 \"-\" \"curl/8\"","fields":{"status":502}}`,
	},
	{
		"dpkg",
		`2026-11-20 23:14:00 status half-installed jq:amd64 1.6-2`,
		`{"timestamp":"2026-11-20T23:14:00Z","service":"dpkg","message":"status half-installed jq:amd64 1.6-2"}`,
	},
	{
		"not dpkg",
		`2026-11-20 23:14:00 status of the order: fine`,
		`{"timestamp":"2026-11-20T23:14:00Z","message":"status of the order: fine"}`,
	},
	{
		"brackets",
		`[2026-11-20T23:14:00Z] [warning] disk full`,
		`{"timestamp":"2026-11-20T23:14:00Z","level":"warn","message":"disk full"}`,
	},
	{
		"zap console",
		"2026-11-20T23:14:00.000Z\tinfo\tmain.go:1\tup",
		`{"timestamp":"2026-11-20T23:14:00Z","level":"info","message":"main.go:1\tup"}`,
	},
	{
		"postgres",
		`2026-11-20 23:14:00.123 UTC [42] LOG:  ready`,
		`{"timestamp":"2026-11-20T23:14:00.123Z","level":"info","message":"ready","fields":{"level":"LOG","pid":42}}`,
	},
	{
		"slog text",
		`time=2026-11-20T23:14:00.000+01:00 level=WARN msg="a \"b\"" n=1 order.id=7 e=`,
		`{"timestamp":"2026-11-20T22:14:00Z","level":"warn","message":"a \"b\"","fields":{"n":"1","order.id":"7","e":""}}`,
	},
	{
		"a date and a host that is none",
		`2026-11-20T23:14:00Z starting server: ok`,
		`{"timestamp":"2026-11-20T23:14:00Z","message":"starting server: ok"}`,
	},
}

var plainLines = []golden{
	{"empty", ``, `{"message":""}`},
	{"words", `hello world`, `{"message":"hello world"}`},
	{"level first", `ERROR could not open`, `{"level":"error","message":"could not open"}`},
	{"a sentence is not a level", `error in the network`, `{"message":"error in the network"}`},
	{"only a level", `INFO`, `{"message":"INFO"}`},
	{"almost a date", `2026-13-20 23:14:00 x`, `{"message":"2026-13-20 23:14:00 x"}`},
	{"no such day", `2026-02-30 23:14:00 x`, `{"message":"2026-02-30 23:14:00 x"}`},
	{"a dash is not a logger", `INFO shutdown - done`, `{"level":"info","message":"shutdown - done"}`},
	{"logfmt without a message", `level=info a=b`, `{"message":"level=info a=b"}`},
	{"controls", "a\x1b[31m\x00\x7f\u009b\u2028\"\\", `{"message":"a\u001b[31m\u0000\u007f\u009b\u2028\"\\"}`},
	{"not UTF-8", "a\xffb\xe2\x82", `{"message":"a` + "\uFFFDb\uFFFD\uFFFD" + `"}`},
	{"byte order mark", "\uFEFFhello", `{"message":"hello"}`},
	{"Chinese", "订单 ok", `{"message":"订单 ok"}`},
}

func TestParseDefaults(t *testing.T) {
	d := defaults()
	d.Service = "shop"
	d.Source = "/var/log/shop.log"
	d.Location = time.FixedZone("", 3600)
	for _, tt := range []golden{
		{
			"a logger is not the service",
			`{"logger":"com.acme.A","msg":"x","time":"2026-11-20 10:00:00,5"}`,
			`{"timestamp":"2026-11-20T09:00:00.5Z","service":"shop","message":"x","fields":{"logger":"com.acme.A"},"source":"/var/log/shop.log"}`,
		},
		{
			"the line knows better",
			`{"service":"pay","msg":"x"}`,
			`{"service":"pay","message":"x","source":"/var/log/shop.log"}`,
		},
		{"text", `INFO com.acme.A - x`, `{"level":"info","service":"shop","message":"x","fields":{"logger":"com.acme.A"},"source":"/var/log/shop.log"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := logs.Parse([]byte(tt.line), d)
			if got := string(r.AppendJSON(nil)); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseKeepsNoReference(t *testing.T) {
	line := []byte(`{"msg":"abc","k":"v"}`)
	r := logs.Parse(line, defaults())
	for i := range line {
		line[i] = 'X'
	}
	if got, want := string(r.AppendJSON(nil)), `{"message":"abc","fields":{"k":"v"}}`; got != want {
		t.Errorf("after the line was overwritten: %s, want %s", got, want)
	}
}

func TestParseCutsLongLines(t *testing.T) {
	const limit = 8 << 10
	d := defaults()
	d.MaxBytes = limit
	for name, line := range map[string]string{
		"text":             strings.Repeat("x", 20_000),
		"controls":         strings.Repeat("\x01", 20_000),
		"JSON message":     `{"level":"warn","msg":"` + strings.Repeat("ä", 20_000) + `","k":1}`,
		"JSON fields":      `{"level":"warn","msg":"m","big":"` + strings.Repeat("x", 20_000) + `","k":1}`,
		"message and more": `{"level":"warn","msg":"` + strings.Repeat("m", 9_000) + `","big":"` + strings.Repeat("x", 20_000) + `","k":1}`,
		"long name":        `{"level":"warn","msg":"m","` + strings.Repeat("x", 20_000) + `":1,"k":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := logs.Parse([]byte(line), d)
			got := r.AppendJSON(nil)
			var decoded struct {
				Level   string
				Message string
				Fields  map[string]any
			}
			if err := json.Unmarshal(got, &decoded); err != nil {
				t.Fatal(err)
			}
			if len(got) > limit || len(got) < limit/3 && strings.HasSuffix(name, "text") {
				t.Errorf("%d bytes, want at most %d and not far below", len(got), limit)
			}
			if cut, _ := decoded.Fields["truncated_bytes"].(float64); int(cut) != r.Cut || cut < 10_000 {
				t.Errorf("truncated_bytes %v, Cut %d: want the same, above 10000", cut, r.Cut)
			}
			if line[0] == '{' && (decoded.Level != "warn" || decoded.Fields["k"] != 1.0) {
				t.Errorf("level %q, k %v: short members must survive", decoded.Level, decoded.Fields["k"])
			}
		})
	}
}

func TestCutIsCounted(t *testing.T) {
	d := defaults()
	d.MaxBytes = 8 << 10
	line := strings.Repeat("a", 30_000)
	r := logs.Parse([]byte(line), d)
	if len(r.Message)+r.Cut != len(line) {
		t.Errorf("%d bytes kept, %d cut: want %d together", len(r.Message), r.Cut, len(line))
	}
}

func FuzzParse(f *testing.F) {
	for _, group := range [][]golden{jsonLines, syslogLines, textLines, plainLines} {
		for _, tt := range group {
			f.Add([]byte(tt.line))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		d := defaults()
		d.Source = "/var/log/x.log"
		d.MaxBytes = 8 << 10
		r := logs.Parse(line, d)
		got := r.AppendJSON(nil)
		if !json.Valid(got) {
			t.Fatalf("not JSON: %q", got)
		}
		if len(got) > d.MaxBytes {
			t.Fatalf("%d bytes, want at most %d", len(got), d.MaxBytes)
		}
		for _, b := range got {
			if b < ' ' && b != '\t' && b != '\r' && b != '\n' || b == 0x7f && r.Fields == nil {
				t.Fatalf("control character %#x in %q", b, got)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, tt := range []golden{jsonLines[0], jsonLines[4], syslogLines[0], textLines[2], textLines[8], plainLines[1]} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			line := []byte(tt.line)
			d := defaults()
			var dst []byte
			for b.Loop() {
				r := logs.Parse(line, d)
				dst = r.AppendJSON(dst[:0])
			}
		})
	}
}
