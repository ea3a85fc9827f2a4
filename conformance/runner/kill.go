package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	killMessages = 10_000
	killBatch    = 50
	// killPause lets the messages come for some two seconds, so that there is a middle to be killed in.
	killPause = 10 * time.Millisecond
	kills     = 6
)

// reader is a program that writes each message of a channel to a file as a line, and goes on where it stopped.
type reader struct {
	client  string
	channel string
	file    string
	command func(ctx context.Context) (*exec.Cmd, error)
	// text finds the message in a line.
	text func(line []byte) (string, error)
}

// killReaders kills readers (-9) in the middle of 10,000 messages, again and again: each must see every message once.
func killReaders(ctx context.Context, f *field) []result {
	var results []result
	for _, r := range []reader{pythonReader(f), magpieReader(f)} {
		err := r.killAgainAndAgain(ctx, f.open)
		results = append(results, once("kill -9: "+r.client, err))
	}
	return results
}

// pythonReader keeps message and position in one line.
func pythonReader(f *field) reader {
	r := reader{client: "websockets", channel: "conformance.kill.python", file: filepath.Join(f.dir, "python.seen")}
	r.command = func(ctx context.Context) (*exec.Cmd, error) {
		return exec.CommandContext(ctx, python, "conformance/python/reader.py", f.open.url(), r.channel, r.file), nil //nolint:gosec // our own script
	}
	r.text = func(line []byte) (string, error) {
		fields := bytes.SplitN(line, []byte(" "), 3)
		if len(fields) != 3 {
			return "", fmt.Errorf("a line of %d fields: %q", len(fields), line)
		}
		return string(fields[2]), nil
	}
	return r
}

// magpieReader is the command that users have.
func magpieReader(f *field) reader {
	r := reader{client: "magpie sub", channel: "conformance.kill.magpie", file: filepath.Join(f.dir, "magpie.seen")}
	r.command = func(ctx context.Context) (*exec.Cmd, error) {
		output, err := os.OpenFile(r.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, magpie, "sub", r.channel, "--url", f.open.url(), //nolint:gosec // our own binary
			"--from", "0", "--json", "--position-file", filepath.Join(f.dir, "magpie.position"))
		cmd.Stdout = output
		return cmd, nil
	}
	r.text = func(line []byte) (string, error) {
		var message struct{ Text string }
		err := json.Unmarshal(line, &message)
		return message.Text, err
	}
	return r
}

func (r reader) killAgainAndAgain(ctx context.Context, g *gateway) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	published := make(chan error, 1)
	go func() { published <- publishAll(ctx, g, r.channel) }()
	random := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // no secret
	for i := range kills {
		least := killMessages/10 + i*killMessages/8 + random.IntN(killMessages/10)
		if err := r.runUntil(ctx, least); err != nil {
			return err
		}
		if seen := r.seen(); seen >= killMessages {
			return fmt.Errorf("all was seen at kill %d: it shows nothing", i+1)
		}
	}
	if err := r.runUntil(ctx, killMessages); err != nil {
		return err
	}
	return errors.Join(<-published, r.check())
}

// runUntil runs the reader until its file has so many lines, and kills it at once.
func (r reader) runUntil(ctx context.Context, lines int) error {
	cmd, err := r.command(ctx)
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	if output, ok := cmd.Stdout.(*os.File); ok {
		output.Close()
	}
	waited := poll(ctx, patience, fmt.Sprintf("%d lines of %d", r.seen(), lines), func() bool { return r.seen() >= lines })
	killed := cmd.Process.Kill()
	cmd.Wait() //nolint:errcheck // it was killed, so it is an error
	if waited != nil {
		return fmt.Errorf("%w: %s", waited, stderr.String())
	}
	if killed != nil {
		return fmt.Errorf("it had ended before it was killed: %s", stderr.String())
	}
	return nil
}

// seen counts the lines of the file.
func (r reader) seen() int {
	content, err := os.ReadFile(r.file)
	if err != nil {
		return 0 // not there yet
	}
	return bytes.Count(content, []byte("\n"))
}

// check finds whether each message is in the file exactly once, and in order.
func (r reader) check() error {
	content, err := os.ReadFile(r.file)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(content, []byte("\n")), []byte("\n"))
	for i, line := range lines {
		text, err := r.text(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if text != strconv.Itoa(i+1) {
			return fmt.Errorf("line %d is the message %s", i+1, text)
		}
	}
	if len(lines) != killMessages {
		return fmt.Errorf("%d messages were seen, want %d", len(lines), killMessages)
	}
	return nil
}

// publishAll publishes the messages, each of which is its number.
func publishAll(ctx context.Context, g *gateway, channel string) error {
	ticker := time.NewTicker(killPause)
	defer ticker.Stop()
	for n := 0; n < killMessages; n += killBatch {
		texts := make([]string, killBatch)
		for i := range texts {
			texts[i] = strconv.Itoa(n + i + 1)
		}
		if err := g.publish(ctx, channel, texts...); err != nil {
			return err
		}
		<-ticker.C
	}
	return nil
}
