package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strconv"

	"github.com/magpie-bridge/magpie/internal/logs"
)

// identity tells a file from every other on this machine, as far as the system can.
type identity struct {
	device, inode uint64
	birth         int64 // nanoseconds since 1970; 0: the file system does not know
}

// headBytes is how much of a file's beginning is remembered, to notice that it is another text.
const headBytes = 256

// streamName begins the message ids of a generation. noticed is 0, or tells two generations of one identity apart.
func (id identity) streamName(head []byte, noticed int64) string {
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i+1]
	}
	var text []byte
	for _, n := range [...]uint64{id.device, id.inode, uint64(id.birth), uint64(noticed)} { //nolint:gosec // only to be hashed
		text = binary.BigEndian.AppendUint64(text, n)
	}
	sum := sha256.Sum256(append(text, head...))
	return "f" + hex.EncodeToString(sum[:8])
}

// castagnoli is the polynomial that processors compute by themselves.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendMessageID appends the id of a text in the stream of that name.
func appendMessageID(dst []byte, stream string, text logs.Text) []byte {
	dst = append(dst, stream...)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, text.Offset, 16)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, text.Length, 16)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, uint64(crc32.Checksum(text.Bytes, castagnoli)), 16)
}
