package server

import (
	"sync"

	"github.com/magpie-bridge/magpie/internal/channel"
	"github.com/magpie-bridge/magpie/internal/filter"
)

// maxFilters bounds the compiled filters that are remembered: more distinct ones are compiled anew.
const maxFilters = 1024

// newFilters returns what compiles the filters of subscriptions, each distinct text once. It is safe for concurrent use.
func newFilters() func(text string) (channel.Filter, error) {
	var mu sync.Mutex // guards known
	known := make(map[string]*filter.Program)
	return func(text string) (channel.Filter, error) {
		mu.Lock()
		program := known[text]
		mu.Unlock()
		if program != nil {
			return program, nil
		}
		program, err := filter.Parse(text)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		if len(known) >= maxFilters {
			clear(known)
		}
		known[text] = program
		return program, nil
	}
}
