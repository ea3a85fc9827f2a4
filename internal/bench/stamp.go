package bench

import "encoding/binary"

// stamp is what a payload says about itself. It is written in the letters a to p, four bits each, because these pass
// through every protocol unescaped and are read eight at a time.
type stamp struct {
	run      uint32 // which run of the tool, so that somebody else's messages are not counted
	channel  uint32
	slot     uint32 // of the traffic's window
	sequence uint64 // in the channel; the first is 1
	at       uint64 // when it was published, or should have been: nanoseconds on the swarm's clock
}

// stampBytes is the least length of a payload.
const stampBytes = 7 * 8

// put writes the stamp to the beginning of a payload.
func (s stamp) put(b []byte) {
	for i, part := range [...]uint32{s.run, s.channel, s.slot, high(s.sequence), low(s.sequence), high(s.at), low(s.at)} {
		binary.LittleEndian.PutUint64(b[8*i:], spread(part))
	}
}

// readStamp reads the stamp of a payload. ok is false when there is none.
func readStamp(b []byte, run uint32) (s stamp, ok bool) {
	if len(b) < stampBytes {
		return stamp{}, false
	}
	part := func(i int) uint32 { return gather(binary.LittleEndian.Uint64(b[8*i:])) }
	if binary.LittleEndian.Uint64(b) != spread(run) {
		return stamp{}, false
	}
	return stamp{
		run:      run,
		channel:  part(1),
		slot:     part(2),
		sequence: uint64(part(3))<<32 | uint64(part(4)),
		at:       uint64(part(5))<<32 | uint64(part(6)),
	}, true
}

// letters are eight times 'a'.
const letters = 0x6161616161616161

// spread makes eight letters of eight nibbles.
func spread(x uint32) uint64 {
	v := uint64(x)
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	return v + letters
}

// gather is the reverse of spread.
func gather(v uint64) uint32 {
	v -= letters
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return uint32(v | v>>16)
}

func high(x uint64) uint32 { return uint32(x >> 32) }
func low(x uint64) uint32  { return uint32(x) }
