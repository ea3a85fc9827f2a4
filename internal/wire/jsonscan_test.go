package wire

import (
	"encoding/binary"
	"testing"
)

func TestOrdinaryBytes(t *testing.T) {
	for b := range 256 {
		want := b >= ' ' && b < 0x80 && b != '"' && b != '\\'
		for place := range 8 {
			eight := []byte("abcdefgh")
			eight[place] = byte(b)
			if got := ordinary(binary.LittleEndian.Uint64(eight)); got != want {
				t.Errorf("%q: %v", eight, got)
			}
		}
	}
}
