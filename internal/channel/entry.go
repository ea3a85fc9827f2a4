package channel

import (
	"encoding/binary"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Entry is a record in its compact form, as an engine keeps it elsewhere than in a log. It must not change once it was
// given to anyone.
type Entry []byte

// AppendEntry appends the compact form of a record to dst. Its time is 0 until [Entry.Stamp].
func AppendEntry(dst []byte, r *Record) []byte { return appendRecord(dst, r, 0) }

// EntrySize bounds the compact form of a record from above.
func EntrySize(r *Record) int { return recordSize(r) }

// Stamp sets the time of an entry that nobody reads yet.
func (e Entry) Stamp(milliseconds int64) { binary.LittleEndian.PutUint64(e, uint64(milliseconds)) }

// Time is when the entry was appended, in milliseconds since 1970.
func (e Entry) Time() int64 { return recordTime(e) }

// Identity is what the idempotency window knows the entry by; messageID is empty where it has none. The strings alias
// the entry.
func (e Entry) Identity() (publisher, messageID string) { return recordIdentity(e) }

// Key is what the entry is the newest value of, or was. It aliases the entry.
func (e Entry) Key() string { return recordKey(e) }

// Message fills m, but for channel, offset and prev. Strings and payload alias the entry; the slices of m are used
// again.
func (e Entry) Message(m *wire.Message) { readRecord(e, m) }
