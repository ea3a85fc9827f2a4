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

// SetValues keeps small values as [Engine.SetValue] does, all of them or none. A nil one removes its key.
func (e *Engine) SetValues(values map[string][]byte) error {
	if err := e.refusal(); err != nil {
		return err
	}
	batch := e.db.NewBatch()
	defer batch.Close() //nolint:errcheck // it only gives memory back
	for key, value := range values {
		if value == nil {
			_ = batch.Delete(append([]byte{prefixValue}, key...), nil)
			continue
		}
		_ = batch.Set(append([]byte{prefixValue}, key...), value, nil)
	}
	return e.apply(batch, false)
}

// ValuesAfter calls f for at most so many of the keys behind after that have the prefix, in their order. The value is f's
// only until it returns.
func (e *Engine) ValuesAfter(prefix, after string, most int, f func(key string, value []byte)) error {
	if err := e.health.err(); err != nil {
		return err
	}
	it, err := e.db.NewIter(&pebble.IterOptions{
		LowerBound: append([]byte{prefixValue}, max(prefix, after+"\x00")...),
		UpperBound: append(append([]byte{prefixValue}, prefix...), 0xff), // keys are text
	})
	if err != nil {
		return fmt.Errorf("read on from %q in the store: %w", after, err)
	}
	for valid := it.First(); valid && most > 0; valid = it.Next() {
		f(string(it.Key()[1:]), it.Value())
		most--
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read on from %q in the store: %w", after, err)
	}
	return nil
}
