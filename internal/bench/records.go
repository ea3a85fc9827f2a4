package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/magpie-bridge/magpie/internal/bench/target"
	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	maxFilters = 64 // what a channel of the gateway has at a time, and the bits of a word
	// poolRecords is how many different records there are; they are published again and again, each time with another stamp.
	poolRecords = 1 << 15
	// amounts is below what the amount of a record stays: fine enough to tell 0.1 % of a part of the records.
	amounts = 1_000_000

	leastShare, greatestShare = 0.001, 0.05 // of the records, for one filter
)

// pool is what is published, and what an evaluation apart from the server says of it.
type pool struct {
	records []target.Record
	passes  []uint64 // by record: bit i says that filter i lets it through
	bytes   int      // of a record, on average
}

// newPool draws records, the same in every run, and evaluates the filters over them.
func newPool(filters []string) (*pool, error) {
	programs := make([]*filter.Program, len(filters))
	for i, text := range filters {
		var err error
		if programs[i], err = filter.Parse(text); err != nil {
			return nil, fmt.Errorf("filter %s: %w", text, err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same numbers are wanted in every run
	p := &pool{records: make([]target.Record, poolRecords), passes: make([]uint64, poolRecords)}
	for i := range p.records {
		r := &p.records[i]
		m := draw(random, i, r)
		p.bytes += len(r.Data)
		for f, program := range programs {
			if program.Match(m) {
				p.passes[i] |= 1 << f
			}
		}
	}
	p.bytes /= poolRecords
	return p, nil
}

// stamped is the record that is published with that sequence number, stamped. It is valid until it is published again.
func (p *pool) stamped(m stamp) target.Record {
	r := p.records[p.index(m.sequence)]
	m.put(r.Data[len(r.Data)-len(stampEnd)-stampBytes:])
	return r
}

func (p *pool) index(sequence uint64) int { return int((sequence - 1) % uint64(len(p.records))) }

// What services log. A level stands as often as its weight says.
var (
	levels = []struct {
		name   string
		weight int
	}{{"info", 600}, {"debug", 250}, {"warn", 70}, {"trace", 50}, {"error", 27}, {"fatal", 3}}
	services = []string{
		"order-api", "order-db", "order-mail", "order-web", "batch-nightly", "batch-report", "billing", "cart", "catalog", "gateway",
		"identity", "inventory", "ledger", "pricing", "profile", "search", "shipping", "stock", "tax", "warehouse",
	}
	regions  = []string{"eu", "us", "ap", "sa"}
	messages = []string{
		"request served from cache", "connection to replica timed out", "Order A-# failed: card declined", "user signed in from a new device",
		"retrying after a conflict, attempt #", "order B-# rejected by the warehouse", "slow query on table customers", "flushed # events to disk",
	}
)

// stampEnd is what follows the stamp in a record.
const stampEnd = `"}`

// draw makes a record with room for a stamp, and returns it as a filter is given it.
func draw(random *rand.Rand, n int, r *target.Record) *wire.Message {
	weight, level := random.IntN(1000), 0
	for ; weight >= levels[level].weight; level++ {
		weight -= levels[level].weight
	}
	service, region := services[random.IntN(len(services))], regions[random.IntN(len(regions))]
	message := messages[random.IntN(len(messages))]
	message = strings.Replace(message, "#", strconv.Itoa(random.IntN(100_000)), 1)
	r.Tags = fmt.Appendf(nil, `{"level":"%s","service":"%s","region":"%s"}`, levels[level].name, service, region)
	r.Data = fmt.Appendf(nil, `{"timestamp":"2026-11-20T10:00:%02d.%06dZ","level":"%s","service":"%s","message":"%s",`+
		`"fields":{"amount":%d,"customer":"c-%05d"},"source":"/var/log/%s.log","trace_id":"%0*d`+stampEnd,
		n%60, n, levels[level].name, service, message, random.IntN(amounts), random.IntN(100_000), service, stampBytes, 0)
	return &wire.Message{
		Tags:    wire.Pairs{{Key: "level", Value: levels[level].name}, {Key: "service", Value: service}, {Key: "region", Value: region}},
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: r.Data},
	}
}

// forms are what filters look like, and which part of the records passes but for the amount.
var forms = []struct {
	text string
	part float64
}{
	{`level>=info amount<%d`, 0.7},
	{`service=order-* amount<%d`, 0.2},
	{`"timed out" amount<%d`, 0.125},
	{`amount<%d`, 1},
	{`tags.region=eu -service=batch-* fields.amount<%d`, 0.25 * 0.9},
	{`(level=debug or level=trace) amount<%d`, 0.3},
	{`message~"(?i)order [A-Z]-\d+ (failed|rejected)" amount<%d`, 0.25},
	{`customer^="c-0" amount<%d`, 0.1},
}

// filterTexts are so many different filters. The share of the records that one lets through grows from the least to the
// greatest, each time by the same factor; a single one has about the mean of many.
func filterTexts(n int) []string {
	texts := make([]string, n)
	for i := range texts {
		share := (greatestShare - leastShare) / math.Log(greatestShare/leastShare)
		if n > 1 {
			share = leastShare * math.Pow(greatestShare/leastShare, float64(i)/float64(n-1))
		}
		form := forms[i%len(forms)]
		texts[i] = fmt.Sprintf(form.text, int(math.Round(amounts*share/form.part)))
	}
	return texts
}
