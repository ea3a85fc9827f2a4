package diskengine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// layoutVersion is that of the keys and values of this file.
const layoutVersion = 1

const (
	prefixMade   = 'c'
	prefixName   = 'n'
	prefixMeta   = 'm'
	prefixRecord = 'r'
	prefixValue  = 'k'
)

func versionKey() []byte     { return []byte{'F'} }
func incarnationKey() []byte { return []byte{'I'} }

func nameKey(name wire.ChannelName) []byte { return append([]byte{prefixName}, name...) }

func metaKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixMeta}, id) }

// madeKey is where it stands when a channel was made, in milliseconds since 1970.
func madeKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefixMade}, id) }

func recordKey(id uint64, offset wire.Offset) []byte { return appendRecordKey(nil, id, offset) }

func appendRecordKey(dst []byte, id uint64, offset wire.Offset) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, prefixRecord), id)
	return binary.BigEndian.AppendUint64(dst, uint64(offset))
}

// recordID reads the channel id of a record's key, or a meta's.
func recordID(key []byte) uint64 { return binary.BigEndian.Uint64(key[1:]) }

// recordOffset reads the offset of a record's key.
func recordOffset(key []byte) wire.Offset { return wire.Offset(binary.BigEndian.Uint64(key[9:])) }

// errDamaged tells that a value is not what was written.
var errDamaged = errors.New("diskengine: the checksum of a value does not match")

// recordHeader is the checksum and the sum of sizes before the entry.
const recordHeader = 4 + 8

// minEntry is the smallest entry there can be.
const minEntry = 13

// appendRecordValue appends what stands under key for an entry; sum is the size of all entries of the channel up to
// and with this one.
func appendRecordValue(dst, key []byte, sum uint64, e channel.Entry) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, sum)
	dst = append(dst, e...)
	binary.LittleEndian.PutUint32(dst[start:], checksum(key, dst[start+4:]))
	return dst
}

// record is a value under a record's key.
type record struct {
	offset wire.Offset
	sum    uint64
	entry  channel.Entry // aliases what was read
}

func parseRecord(key, value []byte) (record, error) {
	if len(key) != 1+8+8 || len(value) < recordHeader+minEntry || binary.LittleEndian.Uint32(value) != checksum(key, value[4:]) {
		return record{}, errDamaged
	}
	return record{
		offset: recordOffset(key),
		sum:    binary.LittleEndian.Uint64(value[4:]),
		entry:  channel.Entry(value[recordHeader:]),
	}, nil
}

func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

// meta is what stands under a channel's id.
type meta struct {
	epoch   wire.Epoch
	name    wire.ChannelName
	tail    wire.Offset // the newest offset when this was written; a record may be newer
	sum     uint64      // of the entry at tail
	time    int64       // of the entry at tail
	written uint64      // the incarnation of the last append that was only written; 0: there was none
}

func (m *meta) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, n := range [...]uint64{uint64(m.tail), m.sum, uint64(m.time), m.written} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.epoch)))
	dst = append(dst, m.epoch...)
	dst = append(dst, m.name...)
	binary.LittleEndian.PutUint32(dst[start:], checksum(nil, dst[start+4:]))
	return dst
}

func parseMeta(value []byte) (m meta, err error) {
	var numbers [5]uint64
	rest, err := parseNumbers(value, numbers[:])
	if err != nil || numbers[4] > uint64(len(rest)) {
		return m, errDamaged
	}
	return meta{
		tail: wire.Offset(numbers[0]), sum: numbers[1], time: int64(numbers[2]), written: numbers[3],
		epoch: wire.Epoch(rest[:numbers[4]]), name: wire.ChannelName(rest[numbers[4]:]),
	}, nil
}

// parseNumbers checks the checksum that a small value begins with, and reads the numbers behind it.
func parseNumbers(value []byte, numbers []uint64) (rest []byte, err error) {
	if len(value) < 4 || binary.LittleEndian.Uint32(value) != checksum(nil, value[4:]) {
		return nil, errDamaged
	}
	rest = value[4:]
	for i := range numbers {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return nil, errDamaged
		}
		numbers[i], rest = n, rest[size:]
	}
	return rest, nil
}

// incarnation is one opening of the store.
type incarnation struct {
	number     uint64
	closed     bool   // it ended as it should
	rolledBack uint64 // what was only written before this incarnation may be lost; 0: that never happened
	boot       string
}

func (in *incarnation) append(dst []byte) []byte {
	start := len(dst)
	closed := uint64(0)
	if in.closed {
		closed = 1
	}
	dst = append(dst, 0, 0, 0, 0)
	for _, n := range [...]uint64{in.number, closed, in.rolledBack} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = append(dst, in.boot...)
	binary.LittleEndian.PutUint32(dst[start:], checksum(nil, dst[start+4:]))
	return dst
}

func parseIncarnation(value []byte) (in incarnation, err error) {
	var numbers [3]uint64
	rest, err := parseNumbers(value, numbers[:])
	if err != nil {
		return in, fmt.Errorf("what is known of the last start: %w", err)
	}
	return incarnation{number: numbers[0], closed: numbers[1] == 1, rolledBack: numbers[2], boot: string(rest)}, nil
}

// next is the incarnation that follows this one in a machine's run called boot.
func (in incarnation) next(boot string) incarnation {
	n := incarnation{number: in.number + 1, rolledBack: in.rolledBack, boot: boot}
	if in.number > 0 && !in.closed && (boot == "" || in.boot != boot) {
		n.rolledBack = n.number
	}
	return n
}

// lost reports whether a channel that was last written, and not synced, in that incarnation may have lost numbers.
func (in incarnation) lost(written uint64) bool { return written > 0 && in.rolledBack > written }
