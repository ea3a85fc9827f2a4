package filter_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// record is a log record as the file source publishes it.
func record() *wire.Message {
	return &wire.Message{
		Channel: "logs.local", Offset: 42, MessageID: "fdeb983a-20-57", Publisher: "file", Timestamp: 1789000000000,
		Tags: wire.Pairs{{Key: "level", Value: "warn"}, {Key: "service", Value: "order-eu"}},
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`{"timestamp":"2026-11-20T10:00:00.123456Z","level":"warn",` +
			`"service":"order-eu","message":"Connection to \"db-1\" Timed out\r\tat line 7","trace_id":"4bf92f3577b34da6",` +
			`"fields":{"ms":512,"logger":"com.example.Pool","retry":true,"http.status":504,"user":{"name":"Zoë"}},"source":"/var/log/order.log"}`)},
	}
}

// order is a business message.
func order() *wire.Message {
	return &wire.Message{
		Channel: "order.update", MessageID: "8f0c1a52", Key: "Order-7", Publisher: "pricing",
		Tags: wire.Pairs{{Key: "region", Value: "eu"}, {Key: "attempt", Value: "12"}, {Key: "a.b", Value: ""}},
		Meta: wire.Pairs{{Key: "traceparent", Value: "00-4bf9"}},
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(` { "id" : 9007199254740993, "amount": 129.50, "paid": false, "note": null,
			"customer": {"name": "Ann\u00e9 \u4e2d", "address": {"city": "Köln", "zip": "07743"}}, "key": "inner", "data": {"key": 1},
			"lines": [{"sku": "a-1", "n": 2}], "due": "2026-11-20T12:00:00+02:00", "debt": -1.5e3, "empty": "", "price": "19.90", "sm\u0061ll": 1e-7 } `)},
	}
}

func text(payload string) *wire.Message {
	return &wire.Message{Payload: wire.Payload{Kind: wire.PayloadText, Bytes: []byte(payload)}}
}

func data(payload string) *wire.Message {
	return &wire.Message{Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(payload)}}
}

func TestMatch(t *testing.T) {
	for name, test := range map[string]struct {
		message *wire.Message
		passes  string // one filter a line
		fails   string
	}{
		"texts": {
			record(),
			"timed\nTIMED\n\"timed out\"\ndb-1\n\"\\\"db-1\\\" timed\"\n\"out\r\tat\"\n-refused\ntimed out\ntimed or refused",
			"refused\n\"timed  out\"\norder\n512\nmessage\n-timed\ntimed refused\nnot (timed or refused)\n\\n",
		},
		"levels": {
			record(),
			"level=warn\nlevel=WARN\nlevel>=warn\nlevel>=info\nlevel>debug\nlevel<=warn\nlevel<error\nlevel!=error\ntags.level>=info\ndata.level<fatal",
			"level>warn\nlevel>=error\nlevel<warn\nlevel<=trace\nlevel=error\nlevel!=warn\nlevel>=3\nfields.level>=trace",
		},
		"records": {
			record(),
			"service=order-*\nservice=*-eu\nservice=o*r*u\nservice^=ORDER\nservice*=er-\nlogger=com.example.*\nms>500\nms>=512\nms=512.0\nms<1e3\n" +
				"retry=true\nfields.ms=512\nhttp.status>=500\nfields.http.status=504\nuser.name=zoË\ntrace_id^=4bf9\nsource=/var/log/*\nlogger~Pool$\n" +
				"message~\"line \\d\"\nmessage~\"(?i)timed OUT\"\ntimestamp>2026-11-20T10:00:00Z\ntimestamp<2026-11-20T12:00:00.123456+01:59\nmessage:\n-logger=foo",
			"service=order\nservice=*us\nlogger!=com.example.pool\nms>512\nms=51\nretry=false\nhttp:\nhttp.status<500\nlogger~pool\nmessage~\"timed OUT\"\n" +
				"timestamp>2026-11-20T10:00:01Z\ntimestamp>12\nms>abc\nuser:x\nuser.name.x:\nretry.x:\ndata.ms=512\ndata.http.status:",
		},
		"payloads": {
			order(),
			"id=9007199254740993\nid>9007199254740992\nid<9007199254740994\namount>100\namount = 129.5\namount<=129.5000\npaid=false\npaid!=true\n-note:\nnote!=x\n" +
				"customer.name=\"anné 中\"\ncustomer.address.city=KÖLN\ncustomer.address.zip=07743\ncustomer*=\"\\\"zip\\\"\"\n" +
				"lines*=a-1\ndue=2026-11-20T12:00:00+02:00\ndue>=2026-11-20T10:00:00Z\ndue<=2026-11-20T10:00:00Z\ndebt=-1500\ndebt<-1499\nempty:\nempty=\"\"\n" +
				"price>19.8\nprice=19.90\nprice<a\nsmall>0\nsmall<1E-6\ndata.small=0.0000001\n\"Anné 中\"\nkey\namount=12*",
			"id=9007199254740992\namount>129.50\npaid=true\npaid>a\nnote:\nnote=null\nnote*=n\nnote=*\ncustomer.address.zip=7743\ncustomer.address.zip<9999\nlines.sku=a-1\n" +
				"due>2026-11-20T10:00:00Z\ndue<2026-11-20T10:00:00Z\nempty*=x\nprice=19.9\nnothing:\ncustomer.nothing=x\nid>a\ndebt>=-1499.99\nsmall=0",
		},
		"envelopes": {
			order(),
			"key=order-7\nkey^=order\npublisher=pricing\nmessageId=8f0c1a52\ntags.region=EU\ntags.attempt>9\ntags.attempt=12\ntags.a.b:\nmeta.traceparent^=00-\n" +
				"data.key=inner\ndata.data.key=1\nregion!=eu",
			"key=inner\ntags.region=us\ntags.attempt>12\ntags.attempt=12.0\ntags.nothing:\nmeta.region:\nregion=eu\nregion:\nservice:\nlevel:",
		},
		"a tag comes first": {
			&wire.Message{Tags: wire.Pairs{{Key: "level", Value: "error"}}, Payload: data(`{"level":"info","service":"a","fields":{"level":"trace"}}`).Payload},
			"level=error\nservice=a\nlevel=error service=a\nservice=a level=error\ndata.level=info\nfields.level=trace",
			"level=info\ntags.service:\ndata.fields.level=info",
		},
		"without tags": {
			data(`{"fields":{"level":"error","service":"b"},"message":7}`),
			"level>warn\nservice=b\nmessage=7\nmessage\nfields",
			"tags.level:",
		},
		"text payloads": {
			text("Grüße, HAL 9000"),
			"grÜSSE or GRÜßE\nhal\n\"9000\"\n-level:\nmessage!=x",
			"message:\nHAL9000\nlevel:",
		},
		"JSON without a message": {
			data(`["a\u00e9\"b", {"x":1}]`),
			"\"aé\\\"b\"\n\"\\\"x\\\":1\"",
			"x:\n0:\ny",
		},
		"binary payloads": {&wire.Message{Payload: wire.Payload{Kind: wire.PayloadBytes, Bytes: []byte("abc")}}, "-abc\n-a:", "abc\na:"},
		"no payload":      {&wire.Message{Key: "k"}, "key=k\n-k", "k\npublisher:\nmessageId:"},
		"names that stand twice": {
			data(`{"a":null,"a":1,"a":2,"fields":{"a":3,"b":4},"b.c":5,"b":{"c":6}}`),
			"a=1\na=1 -nothing:\nfields.a=3\nb.c=5\nb*=c",
			"a=2\na=2 or nothing:\na=3\nb=4\nb.c=6",
		},
		"stars": {
			data(`{"a":"aba","b":"a.b.c.b"}`),
			"a=a*a\na=*b*\na=ab*a\na=a*b*a\na=*a\nb=a*b*b\nb=*b*.b\na=***a",
			"a=ab*ba\na=aba*a\na=a*a*a*a\nb=a*c*c\nb=*.b*.b*.b\na=b*\na=*b",
		},
		"words of a path": {
			data(`{"b":{"c":6},"fields":{"b.c":7}}`),
			"b.c=7\ndata.b.c=6",
			"b.c=6\ndata.b.c=7",
		},
		"precedence": {
			data(`{"a":1,"b":2}`),
			"a: b: or c:\nc: or a: b:\n(a: or c:) b:\n-c: a:\nnot c: a:\nnot(c: a:)\n-(c: or not a:)\nc: or not c:",
			"a: c:\n(a: or b:) c:\nnot a: or c:\n-(a: b:)\nnot not c:\na: and c:",
		},
		"a long value": {
			data(`{"v":"` + strings.Repeat("x", filter.MaxRegexpText-1) + `éz"}`),
			"v*=éz\nv~\"x$\"",
			"v~é\nv~z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for text := range strings.SplitSeq(test.passes, "\n") {
				check(t, text, test.message, true)
			}
			for text := range strings.SplitSeq(test.fails, "\n") {
				check(t, text, test.message, false)
			}
		})
	}
}

func check(t *testing.T, text string, m *wire.Message, want bool) {
	t.Helper()
	program, err := filter.Parse(text)
	if err != nil {
		t.Errorf("%q: %v", text, err)
		return
	}
	for range 2 { // the second time with what the first left behind
		if got := program.Match(m); got != want {
			t.Errorf("%q passes: %v, want %v", text, got, want)
		}
	}
}

// TestWhateverThePayload gives the walk what no decoder lets through.
func TestWhateverThePayload(t *testing.T) {
	program, err := filter.Parse(`a.b=1 or "c\d" or a>"x" or level>=warn or d~e`)
	if err != nil {
		t.Fatal(err)
	}
	whole := `{"a":{"b":2,"\u0061":[{}]},"message":"c\\\ud83d\ude00","level":"info","d":tru}`
	for i := range whole {
		for _, payload := range []string{whole[:i], whole[i:], whole[:i] + "\\" + whole[i:], whole[:i] + "\"" + whole[i:], whole[:i] + "}" + whole[i:]} {
			program.Match(data(payload))
		}
	}
}

func TestProgramIsShared(t *testing.T) {
	program, err := filter.Parse(`level>=warn ("timed out" or ms>1000) service=order-*`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if !program.Match(record()) || program.Match(order()) {
					t.Error("a goroutine sees another one's message")
					return
				}
			}
		})
	}
	wg.Wait()
}
