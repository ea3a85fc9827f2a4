package filter_test

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// cases are filters as they are written, on messages as they are sent: a log record of 390 bytes and an order of 330.
var cases = []struct {
	name, text string
	message    *wire.Message
	passes     bool
}{
	{"level from the tags", `level>=error`, record(), false},
	{"level and service", `level>=warn service=order-*`, record(), true},
	{"text", `"refused"`, record(), false},
	{"text in a plain payload", `"refused"`, text("2026-11-20 10:00:00 WARN connection to db-1 timed out after 512 ms, retrying"), false},
	{"logs", `level>=warn service=order-* "timed out" -logger=foo`, record(), true},
	{"field", `amount>100`, order(), true},
	{"nested field", `customer.address.city=Köln`, order(), true},
	{"absent field", `nothing=1`, order(), false},
	{"time", `timestamp>=2026-11-20T00:00:00Z`, record(), true},
	{"regular expression", `message~"line \d+"`, record(), true},
	{"ten fields", `a=1 or b=1 or c=1 or d=1 or e=1 or f=1 or g=1 or h=1 or i=1 or ms=512`, record(), true},
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			program, err := filter.Parse(c.text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if program.Match(c.message) != c.passes {
					b.Fatal("a wrong answer")
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := filter.Parse(`level>=warn service=order-* "timed out" -logger=foo`); err != nil {
			b.Fatal(err)
		}
	}
}
