package main

import (
	"context"
	"io"
	"sync"
	"time"
)

// progressInterval is how often the progress line changes: often enough to look alive.
const progressInterval = 500 * time.Millisecond

// progressLine is the last line of a terminal, which changes in place. What is written through it stands above it. It
// is for concurrent use.
type progressLine struct {
	mu    sync.Mutex // guards the fields below
	w     io.Writer
	shown bool
}

// Write writes what is to stay.
func (l *progressLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	return l.w.Write(p)
}

// run shows what describe says until ctx is done.
func (l *progressLine) run(ctx context.Context, describe func() string) {
	ticker := time.NewTicker(progressInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			l.show("")
			return
		case <-ticker.C:
			l.show(describe())
		}
	}
}

// show replaces the line.
func (l *progressLine) show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.shown = text != ""
	_, _ = io.WriteString(l.w, text) // only for the eye
}

// clear takes the line away; l.mu is held.
func (l *progressLine) clear() {
	const toItsStart, eraseIt = "\r", "\x1b[K"
	if l.shown {
		_, _ = io.WriteString(l.w, toItsStart+eraseIt) // only for the eye
	}
	l.shown = false
}
