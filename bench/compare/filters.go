package main

import (
	"fmt"
	"strings"

	"github.com/magpie-bridge/magpie/internal/bench"
)

// filtered is what is measured of filters. Its rows are taken in alternation: they are compared with each other.
func filtered() group {
	row := func(viewers, filters, rate string) measurement {
		name := fmt.Sprintf("filters, viewers: %s, filters: %s, %s a second", viewers, filters, rate)
		rate = strings.ReplaceAll(rate, ",", "")
		return measurement{
			reading: reading{name, "µs per message", perMessage}, of: []string{magpie}, section: sectionFilters,
			args: []string{"filters", "--viewers", strings.ReplaceAll(viewers, ",", ""), "--filters", filters, "--rate", rate},
		}
	}
	return group{
		row("0", "0", "50,000"),
		row("20", "20", "50,000"),
		row("200", "20", "50,000"),
		row("1,000", "20", "50,000"),
		row("1,000", "1", "50,000"),
		row("1,000", "5", "50,000"),
		row("1,000", "64", "50,000"),
		row("1,000", "20", "20,000"),
		row("1,000", "64", "20,000"),
		row("20", "0", "50,000"),
	}
}

const aboutFilters = `
## Filters

Log records of 274 bytes on average, and 51 of tags, are published to one channel in batches. Each viewer has one of so many
different filters, each of which lets 0.1 to 5 % through: on average 1.3 %, with 5 filters 1.6 %, with one 1.2 %; with 0 filters
everybody gets everything. The load tool has evaluated every filter over every record by itself, with the package that the gateway
uses (internal/filter): what it checks is that each viewer gets what that evaluation says, not the language. Of each viewer's
messages none was lost unsaid, came twice, was for others, out of order or with a wrong ` + "`prev`" + ` in any round that is counted.
Where a core is full, the time per message is a second divided by the messages, whatever is done in it; with time left the gateway
writes more often, and fewer messages at once. The rows were taken in alternation.

| | published per second | deliveries per second | processor time per message, µs (least to most) | share of the core | p50 ms | p99 ms (least to most) | resident MiB |
|---|---|---|---|---|---|---|---|
`

// filters writes the table of filters.
func (p *page) filters(b *strings.Builder) {
	list := p.of(sectionFilters)
	if len(list) == 0 {
		return
	}
	b.WriteString(aboutFilters)
	for _, t := range list {
		median := func(value func(*bench.Result) float64) string { return figure(t.of(magpie, value).median) }
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s %% | %s | %s | %s |\n", strings.TrimPrefix(t.name, "filters, "), t.of(magpie, published),
			median(perSecond), t.of(magpie, perMessage), median(cpuShare), median(p50), t.of(magpie, p99), median(resident))
	}
}

func perMessage(r *bench.Result) float64 { return r.Server.CPUMicrosPerMessage }

func published(r *bench.Result) float64 { return float64(r.Published) / r.Seconds }

func resident(r *bench.Result) float64 { return float64(r.Server.ResidentBytes) / (1 << 20) }
