package wire_test

import (
	"testing"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// entry is a message as a channel's log delivers it.
func entry() *wire.Message {
	return &wire.Message{
		Channel: "order.update", Offset: 42, MessageID: "8f0c1a52", Publisher: "pricing", Timestamp: 1789000000000,
		Tags:    wire.Pairs{{Key: "region", Value: "eu"}},
		Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`{"orderId":7,"amount":129.50,"currency":"EUR","lines":[{"sku":"a-1","n":2}]}`)},
	}
}

func publication() *wire.Frame {
	return &wire.Frame{RequestID: "3", Body: &wire.Publish{
		Channel: "order.update",
		Publication: wire.Publication{
			MessageID: "8f0c1a52",
			Payload:   entry().Payload,
		},
	}}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		b.Run(c.String(), func(b *testing.B) {
			m, buf := entry(), make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				buf = c.AppendMessage(buf[:0], m)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}

func BenchmarkAppendPublished(b *testing.B) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		b.Run(c.String(), func(b *testing.B) {
			f := &wire.Frame{RequestID: "3", Body: &wire.Published{PublishResult: wire.PublishResult{Position: wire.Position{Epoch: "k3", Offset: 58}}}}
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				buf = c.Append(buf[:0], f)
			}
		})
	}
}

func BenchmarkDecodePublish(b *testing.B) {
	for _, c := range []wire.Codec{wire.JSON, wire.Protobuf} {
		b.Run(c.String(), func(b *testing.B) {
			input := c.Append(nil, publication())
			var d wire.Decoder
			var f wire.Frame
			b.ReportAllocs()
			b.SetBytes(int64(len(input)))
			for b.Loop() {
				if err := d.Decode(c, input, &f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
