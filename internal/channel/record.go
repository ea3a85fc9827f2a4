package channel

import (
	"encoding/binary"
	"unsafe"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Record is a message on its way into a log. The log copies what it needs.
type Record struct {
	wire.Publication
	Publisher string // the authenticated user
	Origin    uint64 // the session that published it, for those who want all but their own; 0: none
	Create    bool   // of the first of several: its channel may be made for it where use alone does not make one
}

// The compact form of an entry, in the order written:
//
//	8 bytes  timestamp, milliseconds since 1970, little endian
//	1 byte   payload kind, and whether an origin follows
//	8 bytes  origin, little endian, where there is one
//	uvarint  bytes of messageId, key, publisher, pairs, each its own uvarint
//	...      messageId, key, publisher, pairs, payload (to the entry's end)
//
// pairs holds the tags and then the meta: a uvarint count, then key and value, each with a uvarint length.

const (
	recordFixed = 8 + 1
	originBytes = 8
	hasOrigin   = 0x80 // beside the payload kind
)

// recordSize bounds the compact form from above, so that room for it can be found before it is written.
func recordSize(r *Record) int {
	return recordFixed + originBytes + 4*binary.MaxVarintLen32 +
		len(r.MessageID) + len(r.Key) + len(r.Publisher) + pairsSize(r.Tags) + pairsSize(r.Meta) + len(r.Payload.Bytes)
}

func pairsSize(pairs wire.Pairs) int {
	n := binary.MaxVarintLen32
	for _, p := range pairs {
		n += 2*binary.MaxVarintLen32 + len(p.Key) + len(p.Value)
	}
	return n
}

// appendRecord appends the compact form. Callers made sure that dst has room, so that it never moves.
func appendRecord(dst []byte, r *Record, timestamp int64) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(timestamp))
	if r.Origin == 0 {
		dst = append(dst, byte(r.Payload.Kind))
	} else {
		dst = append(dst, byte(r.Payload.Kind)|hasOrigin)
		dst = binary.LittleEndian.AppendUint64(dst, r.Origin)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.MessageID)))
	dst = binary.AppendUvarint(dst, uint64(len(r.Key)))
	dst = binary.AppendUvarint(dst, uint64(len(r.Publisher)))
	if len(r.Tags) == 0 && len(r.Meta) == 0 {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(pairsBytes(r.Tags)+pairsBytes(r.Meta)))
	}
	dst = append(dst, r.MessageID...)
	dst = append(dst, r.Key...)
	dst = append(dst, r.Publisher...)
	if len(r.Tags) != 0 || len(r.Meta) != 0 {
		dst = appendPairs(dst, r.Tags)
		dst = appendPairs(dst, r.Meta)
	}
	return append(dst, r.Payload.Bytes...)
}

func appendPairs(dst []byte, pairs wire.Pairs) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(pairs)))
	for _, p := range pairs {
		dst = binary.AppendUvarint(dst, uint64(len(p.Key)))
		dst = append(dst, p.Key...)
		dst = binary.AppendUvarint(dst, uint64(len(p.Value)))
		dst = append(dst, p.Value...)
	}
	return dst
}

func pairsBytes(pairs wire.Pairs) int {
	n := uvarintLen(len(pairs))
	for _, p := range pairs {
		n += uvarintLen(len(p.Key)) + len(p.Key) + uvarintLen(len(p.Value)) + len(p.Value)
	}
	return n
}

func uvarintLen(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// recordTime reads an entry's timestamp.
func recordTime(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }

// recordOrigin reads which session published an entry; 0: none.
func recordOrigin(b []byte) uint64 {
	if b[8]&hasOrigin == 0 {
		return 0
	}
	return binary.LittleEndian.Uint64(b[recordFixed:])
}

// recordBody is what stands behind the fixed part.
func recordBody(b []byte) reader {
	if b[8]&hasOrigin != 0 {
		return reader{b: b[recordFixed+originBytes:]}
	}
	return reader{b: b[recordFixed:]}
}

// readRecord fills m, but for channel, offset and prev. Strings and payload alias b, which never changes once it
// is readable, and keep it alive; slices of m are used again.
func readRecord(b []byte, m *wire.Message) {
	m.Timestamp = recordTime(b)
	m.Payload.Kind = wire.PayloadKind(b[8] &^ hasOrigin)
	r := recordBody(b)
	id, key, publisher, pairs := r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	m.MessageID = r.string(id)
	m.Key = r.string(key)
	m.Publisher = r.string(publisher)
	m.Tags, m.Meta = m.Tags[:0], m.Meta[:0]
	if pairs > 0 {
		m.Tags = r.pairs(m.Tags)
		m.Meta = r.pairs(m.Meta)
	}
	m.Payload.Bytes = r.b
}

// recordIdentity reads what the idempotency window is keyed by.
func recordIdentity(b []byte) (publisher, messageID string) {
	r := recordBody(b)
	id, key, pub, _ := r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	messageID = r.string(id)
	r.string(key)
	return r.string(pub), messageID
}

// recordKey reads an entry's key.
func recordKey(b []byte) string {
	r := recordBody(b)
	id, key, _, _ := r.uvarint(), r.uvarint(), r.uvarint(), r.uvarint()
	r.string(id)
	return r.string(key)
}

// reader walks an entry that this package wrote, and so needs no bounds errors.
type reader struct{ b []byte }

func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) string(n int) string {
	s := unsafe.String(unsafe.SliceData(r.b), n) //nolint:gosec // below a chunk's count nothing ever changes
	r.b = r.b[n:]
	return s
}

func (r *reader) pairs(dst wire.Pairs) wire.Pairs {
	for range r.uvarint() {
		key := r.string(r.uvarint())
		dst = append(dst, wire.Pair{Key: key, Value: r.string(r.uvarint())})
	}
	return dst
}
