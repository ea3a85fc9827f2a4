package diskengine

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Value returns what [Engine.SetValue] kept under key last, nil when it kept nothing.
func (e *Engine) Value(key string) ([]byte, error) {
	if err := e.health.err(); err != nil {
		return nil, err
	}
	value, err := e.get(append([]byte{prefixValue}, key...))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %q from the store: %w", key, err)
	}
	return value, nil
}

// SetValue keeps a small value, as safely as a Written message: behind all that was acknowledged before.
func (e *Engine) SetValue(key string, value []byte) error {
	if err := e.refusal(); err != nil {
		return err
	}
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	_ = batch.Set(append([]byte{prefixValue}, key...), value, nil)
	return e.apply(batch, false)
}
