package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressLineStaysBelowWhatIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal strings.Builder
		line := &progressLine{w: &terminal}
		ctx, cancel := context.WithTimeout(t.Context(), 2*progressInterval+time.Millisecond)
		defer cancel()
		n := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			line.run(ctx, func() string {
				n++
				return strings.Repeat("x", n)
			})
		}()
		time.Sleep(progressInterval + time.Millisecond)
		if _, err := io.WriteString(line, "a warning\n"); err != nil {
			t.Fatal(err)
		}
		<-done
		if want := "x\r\x1b[Ka warning\nxx\r\x1b[K"; terminal.String() != want {
			t.Errorf("the terminal got %q, want %q", terminal.String(), want)
		}
	})
}

func TestReadingATerminalCanBeInterrupted(t *testing.T) {
	silent, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readAll(ctx, silent); err == nil {
		t.Error("reading did not end")
	}
}
