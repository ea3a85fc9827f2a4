package file

import (
	"encoding/json"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// Keeper keeps small values over a restart. It is safe for concurrent use. Value returns nil for a key that has none.
type Keeper interface {
	Value(key string) ([]byte, error)
	SetValue(key string, value []byte) error
}

const (
	// saveEvery is the least time between two savings. What was published since is read again after a crash, and
	// recognised by its message ids.
	saveEvery = time.Second
	// keepFor is how long the position of a file is kept that nothing is read from: longer than files are rotated for.
	keepFor = 30 * 24 * time.Hour
	// maxPositions bounds how many are kept, and so what is saved each time.
	maxPositions = 4096
)

// position is how far a stream was published.
type position struct {
	Offset int64 `json:"offset"`
	Seen   int64 `json:"seen"` // when something of it was published last, in seconds since 1970
}

// positions are how far each stream of a channel was published. The zero value, without a keeper, knows nothing and
// keeps nothing. Safe for concurrent use.
type positions struct {
	keeper Keeper
	key    string
	logger *slog.Logger

	mu       sync.Mutex // guards the fields below, and is held while saving
	byStream map[string]position
	earlier  map[string]position // of an earlier tailer, each until a file has gone on from it
	changed  bool
	saved    time.Time
}

func loadPositions(keeper Keeper, channel wire.ChannelName, logger *slog.Logger) *positions {
	p := &positions{keeper: keeper, key: "files/" + string(channel), logger: logger, byStream: map[string]position{}}
	if keeper == nil {
		return p
	}
	value, err := keeper.Value(p.key)
	if err == nil && value != nil {
		err = json.Unmarshal(value, &p.byStream)
	}
	if err != nil {
		logger.Warn("how far log files were read is not known: they are read as if for the first time", slog.Any("error", err))
		p.byStream = map[string]position{}
	}
	p.earlier = maps.Clone(p.byStream)
	return p
}

// of returns how far an earlier tailer had published a stream, once: a file that comes by that name later may be another
// one, and is rather read twice than not at all.
func (p *positions) of(stream string) (offset int64, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.earlier[stream]
	delete(p.earlier, stream)
	return at.Offset, known
}

// published notes a batch that was taken, and saves now and then.
func (p *positions) published(batch []wire.Publication) {
	if p.keeper == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for i := range batch {
		if stream, end, ok := parseMessageID(batch[i].MessageID); ok {
			p.byStream[stream] = position{Offset: end, Seen: now.Unix()}
			p.changed = true
		}
	}
	if now.Sub(p.saved) >= saveEvery {
		p.save(now)
	}
}

// close saves what was not saved yet.
func (p *positions) close() {
	if p.keeper == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.save(time.Now())
}

// save writes all positions. The caller holds the mutex.
func (p *positions) save(now time.Time) {
	if !p.changed {
		return
	}
	p.saved = now
	for _, age := range []time.Duration{keepFor, keepFor / 30, time.Hour} {
		oldest := now.Add(-age).Unix()
		maps.DeleteFunc(p.byStream, func(_ string, at position) bool { return at.Seen < oldest })
		if len(p.byStream) <= maxPositions {
			break
		}
	}
	value, err := json.Marshal(p.byStream)
	if err == nil {
		err = p.keeper.SetValue(p.key, value)
	}
	if err != nil {
		p.logger.Warn("how far log files were read could not be kept", slog.Any("error", err))
		return
	}
	p.changed = false
}

// parseMessageID finds the stream of a message id, and where the text ends that it names (appendMessageID).
func parseMessageID(id string) (stream string, end int64, ok bool) {
	parts := strings.Split(id, "-")
	if len(parts) != 4 || !strings.HasPrefix(id, "f") {
		return "", 0, false
	}
	offset, err := strconv.ParseInt(parts[1], 16, 64)
	if err != nil {
		return "", 0, false
	}
	length, err := strconv.ParseInt(parts[2], 16, 64)
	return parts[0], offset + length, err == nil
}
