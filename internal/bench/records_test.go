package bench

import (
	"math/bits"
	"testing"

	"github.com/magpie-bridge/magpie/internal/bench/target"
	"github.com/magpie-bridge/magpie/internal/filter"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestFiltersLetThroughWhatTheyShould(t *testing.T) {
	for _, n := range []int{1, 5, 20, maxFilters} {
		texts := filterTexts(n)
		p, err := newPool(texts)
		if err != nil {
			t.Fatal(err)
		}
		shares := make([]float64, n)
		for _, passes := range p.passes {
			for ; passes != 0; passes &= passes - 1 {
				shares[bits.TrailingZeros64(passes)] += 1.0 / poolRecords
			}
		}
		different := map[string]bool{}
		for i, share := range shares {
			if share < leastShare/2 || share > 1.2*greatestShare {
				t.Errorf("%s lets %.3f %% through", texts[i], 100*share)
			}
			program, err := filter.Parse(texts[i])
			if err != nil {
				t.Fatal(err)
			}
			different[program.String()] = true
		}
		if len(different) != n {
			t.Errorf("%d different filters of %d", len(different), n)
		}
	}
}

// What was evaluated beforehand is what the server is given, stamp and all, read as the server reads it.
func TestPoolIsWhatIsPublished(t *testing.T) {
	texts := filterTexts(20)
	p, err := newPool(texts)
	if err != nil {
		t.Fatal(err)
	}
	x, err := target.New("magpie", target.Options{Payload: stampBytes, Records: true})
	if err != nil {
		t.Fatal(err)
	}
	var programs []*filter.Program
	for _, text := range texts {
		program, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
	}
	const second = poolRecords // all are published for the second time
	var command target.Command
	var decoder wire.Decoder
	for first := uint64(second + 1); first < second+20*batchRecords; first += batchRecords {
		command = target.Command{Kind: target.Batch, Sequence: 1, Records: command.Records[:0]}
		for i := range uint64(batchRecords) {
			command.Records = append(command.Records, p.stamped(stamp{run: 7, sequence: first + i, at: 1 << 40}))
		}
		var frame wire.Frame
		if err := decoder.Decode(wire.JSON, x.Append(nil, command), &frame); err != nil {
			t.Fatal(err)
		}
		publish, ok := frame.Body.(*wire.Publish)
		if !ok || len(publish.Messages) != batchRecords {
			t.Fatalf("a batch is read as %T", frame.Body)
		}
		for i := range publish.Messages {
			b := &publish.Messages[i]
			sequence := first + uint64(i)
			got := b.Payload.Bytes[len(b.Payload.Bytes)-len(stampEnd)-stampBytes:]
			if m, ok := readStamp(got, 7); !ok || m.sequence != sequence {
				t.Fatalf("message %d is stamped %+v", sequence, m)
			}
			message := wire.Message{Tags: b.Tags, Payload: b.Payload}
			for f, program := range programs {
				if want := p.passes[p.index(sequence)]&(1<<f) != 0; program.Match(&message) != want {
					t.Fatalf("%s over %s: want %t", texts[f], b.Payload.Bytes, want)
				}
			}
		}
	}
}
