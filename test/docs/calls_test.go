package docs_test

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const guideToCalls = "docs/guides/calls.md"

// The programs of the guide are pieces of those that the tests run.
func TestTheGuideToCallsShowsWhatIsTested(t *testing.T) {
	tested := map[string][]string{
		"go": {"examples/calls/main.go", "examples/nethttp/main.go", "examples/nethttp/routes.go", "examples/nethttp/confirm.go"},
		"js": {"examples/calls/plain.mjs"},
		"ts": {"sdk/ts/test/guide.test.ts"},
	}
	guide := read(t, guideToCalls)
	shown := map[string]int{}
	for _, block := range regexp.MustCompile("(?ms)^```(go|js|ts)\n(.*?)^```$").FindAllStringSubmatch(guide, -1) {
		language, code := block[1], strings.TrimSpace(block[2])
		shown[language]++
		found := false
		for _, file := range tested[language] {
			found = found || strings.Contains(read(t, file), code)
		}
		if !found {
			t.Errorf("%s shows code that is in none of %v:\n%s", guideToCalls, tested[language], code)
		}
	}
	for language := range tested {
		if shown[language] < 2 {
			t.Errorf("%s shows %d pieces of %s", guideToCalls, shown[language], language)
		}
	}
}

// What the pages say of the line are frames, down to the names of their fields.
func TestFramesThatAreShownAreFrames(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/guides/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, page := range append(pages, filepath.Join(root, "protocol/SPEC.md")) {
		page, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^(?:->|<-) (\{.*\})$`).FindAllStringSubmatch(read(t, page), -1) {
			shown++
			text := []byte(match[1])
			var f wire.Frame
			if err := new(wire.Decoder).Decode(wire.JSON, text, &f); err != nil {
				t.Errorf("%s: %s: %v", page, text, err)
				continue
			}
			if again := wire.JSON.Append(nil, &f); len(again) != len(text) || !bytes.Equal(sorted(again), sorted(text)) {
				t.Errorf("%s shows\n%s, which a gateway understands as\n%s", page, text, again)
			}
		}
	}
	if shown < 10 {
		t.Errorf("found %d frames only", shown)
	}
}

// sorted brings the bytes of a frame into order: its fields may stand in any.
func sorted(text []byte) []byte {
	all := bytes.Clone(text)
	slices.Sort(all)
	return all
}
