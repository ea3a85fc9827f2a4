package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// fault is what a liar does to a message now and then.
type fault string

const (
	faultLost    fault = "lost"
	faultTwice   fault = "twice"
	faultSwapped fault = "swapped with the next"

	// victim is which message it is, and each such number after it: far enough in that the line has been broken before,
	// and within what is left for the next client of the suite.
	victim = 700
)

// liar falsifies what a gateway sends. It is safe for concurrent use.
type liar struct {
	fault fault

	mu       sync.Mutex // guards the field below
	messages int        // that passed, over all connections
}

// tell passes on the handshake's answer and the frames behind it, until one direction ends.
func (l *liar) tell(client io.Writer, server io.Reader) error {
	from := bufio.NewReader(server)
	for line := ""; line != "\r\n"; {
		var err error
		if line, err = from.ReadString('\n'); err != nil {
			return err
		}
		if _, err = io.WriteString(client, line); err != nil {
			return err
		}
	}
	var held []byte
	for {
		frame, err := readFrame(from)
		if err != nil {
			return err
		}
		out := append(bytes.Clone(frame), held...)
		held = nil
		if l.isVictim(frame) {
			switch l.fault {
			case faultLost:
				out = nil
			case faultTwice:
				out = append(out, frame...)
			case faultSwapped:
				out, held = nil, frame
			}
		}
		if _, err := client.Write(out); err != nil {
			return err
		}
	}
}

func (l *liar) isVictim(frame []byte) bool {
	if !bytes.Contains(frame, []byte(`"type":"message"`)) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages++
	return l.messages%victim == 0
}

// readFrame reads one frame of a server, header and all (RFC 6455, section 5.2). A server does not mask.
func readFrame(from *bufio.Reader) ([]byte, error) {
	frame := make([]byte, 2, 10)
	if _, err := io.ReadFull(from, frame); err != nil {
		return nil, err
	}
	length, extension := uint64(frame[1]), 0
	switch length {
	case 126:
		extension = 2
	case 127:
		extension = 8
	}
	if extension > 0 {
		var b [8]byte
		if _, err := io.ReadFull(from, b[8-extension:]); err != nil {
			return nil, err
		}
		frame = append(frame, b[8-extension:]...)
		length = binary.BigEndian.Uint64(b[:])
	}
	const most = 1 << 20
	if length > most {
		return nil, fmt.Errorf("a frame of %d bytes", length)
	}
	header := len(frame)
	frame = append(frame, make([]byte, length)...)
	_, err := io.ReadFull(from, frame[header:])
	return frame, err
}

// proveSuites lets every suite run over lines that lie: each of its clients has to notice every fault.
func proveSuites(ctx context.Context, _ *field) []result {
	var results []result
	for _, name := range slices.Sorted(maps.Keys(suites())) {
		s := suites()[name]
		rows := make([]result, len(s.clients))
		for i, client := range s.clients {
			rows[i].client = "planted faults: " + client
		}
		for _, planted := range []fault{faultLost, faultTwice, faultSwapped} {
			output, err := s.outputOverLies(ctx, planted)
			for i, client := range s.clients {
				rows[i].checks++
				if why := unnoticed(client, output); why != "" {
					rows[i].failures = append(rows[i].failures, fmt.Sprintf("a message %s: %s (%v)", planted, why, err))
				}
			}
		}
		results = append(results, rows...)
	}
	return results
}

// outputOverLies runs the suite on a field of its own: a check is made once on each.
func (s suite) outputOverLies(ctx context.Context, planted fault) (string, error) {
	f, err := newField(ctx, &liar{fault: planted})
	if err != nil {
		return "", err
	}
	output, err := s.output(ctx, f)
	return output, errors.Join(err, f.close())
}

// unnoticed says why a client did not notice what was planted, or "". The one check that sees it must have failed, and
// for what it saw: the wrong message.
func unnoticed(client, output string) string {
	failures := judge(client, output).failures
	switch {
	case len(failures) == 0:
		return "nothing was noticed"
	case len(failures) > 1 || !strings.HasPrefix(failures[0], "recovery: "):
		return "something else failed: " + strings.Join(failures, "; ")
	case strings.Contains(failures[0], "too seldom") || strings.Contains(failures[0], "not reported"):
		return failures[0]
	}
	return ""
}
