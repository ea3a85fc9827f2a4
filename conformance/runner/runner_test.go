package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestJudgeWantsEveryCheck(t *testing.T) {
	var lines []string
	for _, check := range checks() {
		lines = append(lines, "ok ws "+check)
	}
	without := func(check string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line == "ok ws "+check })
	}
	for name, test := range map[string]struct {
		lines []string
		want  int
	}{
		"all passed":           {lines, 0},
		"one is missing":       {without("recovery"), 1},
		"one failed":           {append(without("gap"), "failed ws gap: none came"), 1},
		"one passed, failed":   {append(slices.Clone(lines), "failed ws gap: none came"), 1},
		"another's":            {append(without("gap"), "ok Tyrus gap"), 1},
		"one that is not told": {append(without("gap"), "ok ws gapless"), 1},
		"nothing":              {nil, len(checks())},
	} {
		if got := judge("ws", strings.Join(test.lines, "\n")); len(got.failures) != test.want {
			t.Errorf("%s: failures %q, want %d", name, got.failures, test.want)
		}
	}
}

// TestCheckSeesPlantedFaults shows that a message that is lost, seen twice or out of order is noticed.
func TestCheckSeesPlantedFaults(t *testing.T) {
	all := make([]string, killMessages)
	for i := range all {
		all[i] = strconv.Itoa(i + 1)
	}
	swapped := slices.Clone(all)
	swapped[7], swapped[8] = swapped[8], swapped[7]
	for name, test := range map[string]struct {
		seen []string
		good bool
	}{
		"all":             {all, true},
		"one lost":        {slices.Delete(slices.Clone(all), 500, 501), false},
		"the last lost":   {all[:killMessages-1], false},
		"one twice":       {slices.Insert(slices.Clone(all), 500, all[500]), false},
		"the last twice":  {append(slices.Clone(all), all[killMessages-1]), false},
		"out of order":    {swapped, false},
		"half a line":     {append(slices.Clone(all[:9]), ""), false},
		"nothing at all":  {nil, false},
		"a stranger last": {append(slices.Clone(all[:killMessages-1]), "x"), false},
	} {
		file := filepath.Join(t.TempDir(), "seen")
		if err := os.WriteFile(file, []byte(strings.Join(test.seen, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := reader{file: file, text: func(line []byte) (string, error) { return string(line), nil }}
		if err := r.check(); (err == nil) != test.good {
			t.Errorf("%s: check says %v", name, err)
		}
	}
}
