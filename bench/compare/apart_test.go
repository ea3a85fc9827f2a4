package main

import "testing"

func TestWhatWasMeasuredApartStays(t *testing.T) {
	const page = "# Results\n\nwords\n\n## The figures\n\n| a |\n\n## Presence\n\n### more\n\n| b |\n\n## Calls\n\n| c |\n\n## Overload\n\n| d |\n\n## Filters\n\n| e |\n\n## Commands\n\nmake\n"
	const want = "## Presence\n\n### more\n\n| b |\n\n## Overload\n\n| d |\n\n"
	if got := apart(page); got != want {
		t.Errorf("%q stays, want %q", got, want)
	}
	if got := apart(""); got != "" {
		t.Errorf("%q stays of nothing", got)
	}
}
