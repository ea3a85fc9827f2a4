package filter_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// TestGuide reads every filter that the guide shows, and makes the mistake that it shows.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/guides/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, block := range regexp.MustCompile("(?s)```filter\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for text := range strings.Lines(block[1]) {
			count++
			if _, err := filter.Parse(text); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	if count < 10 {
		t.Errorf("the guide shows %d filters only", count)
	}
	_, err = filter.Parse("amount>>5")
	if sentence := wire.AsError(err).Message; !strings.Contains(string(page), "\n"+sentence+"\n") {
		t.Errorf("the guide does not show %q", sentence)
	}
}
