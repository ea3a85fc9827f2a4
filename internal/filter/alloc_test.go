//go:build !race

package filter_test

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// The race detector makes a pool forget at random, so these are not measured with it.

func TestMatchAllocatesNothing(t *testing.T) {
	for _, c := range cases {
		program, err := filter.Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		match := func() {
			local := wire.Message{Tags: c.message.Tags, Payload: c.message.Payload} // must stay where it is
			if program.Match(&local) != c.passes {
				t.Errorf("%s: a wrong answer", c.name)
			}
		}
		if n := testing.AllocsPerRun(1000, match); n != 0 {
			t.Errorf("%s: %q allocates %v times", c.name, c.text, n)
		}
	}
}
