package main

import (
	"regexp"
	"strings"
)

// heading begins a section of the page.
var heading = regexp.MustCompile(`(?m)^## (.+)\n`)

// ownSections are those that this command writes.
var ownSections = map[string]bool{
	"The figures": true, "Spread": true, "Throughput": true, "Latency": true, "Calls": true, "Filters": true,
	"Commands": true, "Rounds that are not counted": true,
}

// apart returns the sections of a page that were measured by other means, and are to stay.
func apart(page string) string {
	var kept strings.Builder
	begins := heading.FindAllStringSubmatchIndex(page, -1)
	for i, at := range begins {
		end := len(page)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		if !ownSections[page[at[2]:at[3]]] {
			kept.WriteString(page[at[0]:end])
		}
	}
	return kept.String()
}
