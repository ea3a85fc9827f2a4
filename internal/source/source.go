package source

import (
	"context"

	"github.com/magpie-bridge/magpie/internal/logs"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// Publisher appends messages to channels. Publish answers with one result for each message of the batch, in its
// order, or with an error when the batch as a whole was not taken. It may be given the same messages, with the same
// ids, again: those that were taken before are answered as duplicates. It may be called by several goroutines, and
// keeps neither batch nor what its payloads refer to after it returned.
type Publisher interface {
	Publish(ctx context.Context, channel wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error)
}

// Publication makes the message that carries a log record. data is the record's JSON form, which is not copied. The
// level and the service are tags, so that subscribers can filter without reading it.
func Publication(id string, r *logs.Record, data []byte) wire.Publication {
	pub := wire.Publication{MessageID: id, Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: data}}
	if r.Level == logs.LevelUnknown && r.Service == "" {
		return pub
	}
	pub.Tags = make(wire.Pairs, 0, 2)
	if r.Level != logs.LevelUnknown {
		pub.Tags = append(pub.Tags, wire.Pair{Key: "level", Value: r.Level.String()})
	}
	if r.Service != "" && len(r.Service) <= wire.MaxPairValueBytes {
		pub.Tags = append(pub.Tags, wire.Pair{Key: "service", Value: r.Service})
	}
	return pub
}
