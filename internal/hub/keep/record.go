package keep

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// record is a session as it is written.
type record struct {
	session Session
	lives   bool // it had a line; when that was so last, the note of its run tells
	run     string
}

// recordJSON is the form of a record on disk.
type recordJSON struct {
	User     string             `json:"user"`
	Channels []wire.ChannelName `json:"channels,omitempty"`
	Joined   []wire.ChannelName `json:"joined,omitempty"`
	Active   int64              `json:"active"` // milliseconds since 1970
	Lives    bool               `json:"lives,omitempty"`
	Run      string             `json:"run"`
}

func (r *record) encode() []byte {
	data, err := json.Marshal(recordJSON{
		User: r.session.User, Channels: r.session.Channels, Joined: r.session.Joined,
		Active: r.session.Active.UnixMilli(), Lives: r.lives, Run: r.run,
	})
	if err != nil {
		panic(err) // there is nothing in it that could not be written
	}
	return data
}

func decodeRecord(id wire.SessionID, data []byte) (*record, error) {
	var r recordJSON
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("a kept session cannot be read: %w", err)
	}
	return &record{
		session: Session{ID: id, User: r.User, Channels: r.Channels, Joined: r.Joined, Active: time.UnixMilli(r.Active)},
		lives:   r.Lives,
		run:     r.Run,
	}, nil
}
