package engine_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/engine"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// BenchmarkPublishers shows what publishers cost each other: run it with -cpu 1,2. To many channels they meet nowhere,
// and a second processor should nearly double the rate; to one channel they take turns at its log.
func BenchmarkPublishers(b *testing.B) {
	for _, channels := range []int{1, 1000} {
		b.Run(fmt.Sprintf("%d channels", channels), func(b *testing.B) {
			space := channel.NewSpace(channel.NewBudget(256<<20), nil)
			e := engine.NewMemory(engine.MemoryOptions{Space: space})
			defer e.Close(b.Context())
			names := make([]wire.ChannelName, channels)
			for i := range names {
				names[i] = wire.ChannelName(fmt.Sprintf("bench.%d", i))
			}
			var publishers atomic.Uint32
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				record := []channel.Record{{Publication: wire.Publication{
					Payload: wire.Payload{Kind: wire.PayloadText, Bytes: make([]byte, 128)},
				}}}
				done := func(_ wire.Epoch, _ []channel.Placed, err error) {
					if err != nil {
						b.Error(err)
					}
				}
				for i := int(publishers.Add(1)) * 7919; pb.Next(); i++ {
					e.Append(names[i%channels], record, done)
				}
			})
		})
	}
}
