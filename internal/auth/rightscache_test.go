package auth

import (
	"fmt"
	"testing"
)

func TestRightsAreCompiledOnce(t *testing.T) {
	c := newRightsCache()
	get := func(pattern string) Rights {
		r, err := c.of(Grants{Publish: []string{pattern}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := get("a.>")
	if again := get("a.>"); again.of != first.of {
		t.Error("the same rights were compiled twice")
	}
	if other := get("b.>"); other.of == first.of || !other.allow(Publish, "b.c") || other.allow(Publish, "a.c") {
		t.Error("other rights were taken for the same")
	}
	for i := range 3 * maxCachedRights {
		get(fmt.Sprintf("c.%d", i))
	}
	if n := len(c.known); n > maxCachedRights {
		t.Errorf("%d rights are remembered", n)
	}
	if _, err := c.of(Grants{Call: []string{"a..b"}}); err == nil {
		t.Error("a pattern that is none was compiled")
	}
}
