package channel

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

func randomString(r *rand.Rand, longest int) string {
	n := r.IntN(longest + 1)
	if r.IntN(3) == 0 {
		n = min(longest, []int{0, 1, 127, 128, 129}[r.IntN(5)]) // where a uvarint grows
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func randomPairs(r *rand.Rand) wire.Pairs {
	var pairs wire.Pairs
	for range r.IntN(5) * r.IntN(8) {
		pairs = append(pairs, wire.Pair{Key: randomString(r, 64), Value: randomString(r, 1024)})
	}
	return pairs
}

func randomRecord(r *rand.Rand) Record {
	record := Record{Publisher: randomString(r, 200)}
	record.MessageID = randomString(r, 128)
	record.Key = randomString(r, 255)
	record.Tags, record.Meta = randomPairs(r), randomPairs(r)
	record.Payload = wire.Payload{
		Kind:  wire.PayloadKind(r.IntN(4)),
		Bytes: []byte(randomString(r, 3000)),
	}
	return record
}

func TestRecordRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var m wire.Message // used again, as by those who read
	for i := range 5000 {
		record := randomRecord(r)
		stamp := r.Int64() - r.Int64()
		b := appendRecord(nil, &record, stamp)
		if bound := recordSize(&record); len(b) > bound {
			t.Fatalf("record %d has %d bytes, more than its bound %d", i, len(b), bound)
		}
		readRecord(b, &m)
		if m.MessageID != record.MessageID || m.Key != record.Key || m.Publisher != record.Publisher ||
			m.Timestamp != stamp || m.Payload.Kind != record.Payload.Kind ||
			string(m.Payload.Bytes) != string(record.Payload.Bytes) ||
			!slices.Equal(m.Tags, record.Tags) || !slices.Equal(m.Meta, record.Meta) {
			t.Fatalf("record %d\nwrote %+v\nread  %+v", i, record, m)
		}
		if publisher, id := recordIdentity(b); publisher != record.Publisher || id != record.MessageID {
			t.Fatalf("record %d: identity %q %q, want %q %q", i, publisher, id, record.Publisher, record.MessageID)
		}
		if got := recordTime(b); got != stamp {
			t.Fatalf("record %d: time %d, want %d", i, got, stamp)
		}
	}
}

// TestRecordsSurviveTheLog sends the same through chunks and their boundaries.
func TestRecordsSurviveTheLog(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	l, _ := testLog(keepAll())
	var records []Record
	for range 1000 {
		record := randomRecord(r)
		record.MessageID = "" // none is to be taken for a retry
		records = append(records, record)
	}
	for rest := records; len(rest) > 0; {
		n := min(len(rest), 1+r.IntN(9))
		add(t, l, rest[:n]...)
		rest = rest[n:]
	}
	var m wire.Message
	for i, record := range records {
		if !l.Read(wire.Offset(i+1), &m) || m.Publisher != record.Publisher || !slices.Equal(m.Meta, record.Meta) ||
			string(m.Payload.Bytes) != string(record.Payload.Bytes) {
			t.Fatalf("entry %d\nwrote %+v\nread  %+v", i+1, record, m)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, record := range map[string]Record{
		"plain":      text(strings.Repeat("x", 128)),
		"identified": identified("alice", "", strings.Repeat("x", 128)),
	} {
		b.Run(name, func(b *testing.B) {
			l, _ := testLog(Retention{Messages: 10_000, Bytes: 16 << 20, Age: keepAll().Age})
			records, placed := []Record{record}, make([]Placed, 0, 1)
			id := []byte("00000000")
			b.ReportAllocs()
			for b.Loop() {
				if record.Publisher != "" {
					for i := range id { // the next number, without an allocation that is not the log's
						if id[i]++; id[i] <= '9' {
							break
						}
						id[i] = '0'
					}
					records[0].MessageID = string(id)
				}
				var err error
				if placed, err = l.Append(records, placed[:0]); err != nil || placed[0].Duplicate {
					b.Fatal(placed, err)
				}
			}
		})
	}
}

func BenchmarkFrames(b *testing.B) {
	l, _ := testLog(keepAll())
	fill(b, l, 10_000)
	b.Run("hot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.Frames(0, 9_990, 64<<10)
		}
	})
	b.Run("encode", func(b *testing.B) {
		record := text(strings.Repeat("x", 128))
		record.Tags = wire.Pairs{{Key: "region", Value: "eu"}}
		space := NewSpace(NewBudget(0), nil, jsonFormat{})
		l := space.NewLog("order.update", "e1", Retention{Messages: 1000, Bytes: 1 << 30, Age: keepAll().Age})
		records, placed := []Record{record}, make([]Placed, 0, 1)
		b.ReportAllocs()
		for b.Loop() {
			placed, _ = l.Append(records, placed[:0])
			if batch, ok := l.Frames(0, placed[0].Offset, 64<<10); !ok || batch.After != placed[0].Offset+1 {
				b.Fatal("the entry just appended is not readable")
			}
		}
	})
}

// jsonFormat is the codec without a framing.
type jsonFormat struct{}

func (jsonFormat) AppendMessage(dst []byte, m *wire.Message) []byte {
	return wire.JSON.AppendMessage(dst, m)
}
