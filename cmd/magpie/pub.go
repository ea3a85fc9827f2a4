package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

const (
	// publishTimeout is how long one message may take, with everything that is done to get it through.
	publishTimeout = 30 * time.Second
	// maxInputBytes bounds what is read as one message; gateways accept far less.
	maxInputBytes = 16 << 20
	// pubWindow is how many messages are under way at once.
	pubWindow = 256
)

// pubFlags are what the command line of pub says.
type pubFlags struct {
	line  *lineFlags
	text  bool
	bytes string
	lines bool
	key   string
	tags  map[string]string
	id    string
	count int
	json  bool
}

func newPubCommand(env environment) *cobra.Command {
	f := &pubFlags{}
	cmd := &cobra.Command{
		Use:   "pub CHANNEL [DATA]",
		Short: "Publish messages to a channel",
		Long: `Publish a message to a channel and wait until the gateway has it.

DATA is JSON, or any text with --text. Without DATA the message is read from stdin: all of it, or with --lines one
message a line. A message is sent again over a line that breaks, and is kept once all the same.`,
		Example: `  magpie pub order.update '{"id":7,"state":"paid"}' --key order-7 --tag region=eu
  magpie pub chat.lobby --text 'hello'
  magpie pub image.new --bytes picture.png
  journalctl -o json -f | magpie pub logs.journal --lines
  magpie pub load.test '{}' --count 10000 --quiet`,
		Args: between(1, 2, "the channel"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cmp.Or(exclusive(cmd, "lines", "bytes", "count", "id"), exclusive(cmd, "text", "bytes"), f.check(args)); err != nil {
				return err
			}
			return f.publish(cmd.Context(), env, args)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.BoolVar(&f.text, "text", false, "the data is text, not JSON")
	flags.StringVar(&f.bytes, "bytes", "", "publish the bytes of this `FILE` (- for stdin)")
	flags.BoolVar(&f.lines, "lines", false, "read stdin, one message a line; empty lines are left out")
	flags.StringVar(&f.key, "key", "", "what the message is the newest value of")
	flags.StringToStringVar(&f.tags, "tag", nil, "a tag, `NAME=VALUE`; may be repeated")
	flags.StringVar(&f.id, "id", "", "the message's id: publishing it again changes nothing (default: made up)")
	flags.IntVar(&f.count, "count", 1, "publish the message this many times")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each message")
	return cmd
}

func (f *pubFlags) check(args []string) error {
	switch {
	case f.count < 1:
		return usagef("--count %d: expected at least 1", f.count)
	case f.lines && len(args) == 2:
		return usagef("--lines reads the messages from stdin: leave DATA out")
	case f.bytes != "" && len(args) == 2:
		return usagef("--bytes names the data: leave DATA out")
	}
	return checkChannels(args[0])
}

// publish sends the messages, several at a time, and prints the answers in their order. Ctrl-C ends the input; what is
// under way is waited for.
func (f *pubFlags) publish(ctx context.Context, env environment, args []string) error {
	payloads, err := f.payloads(ctx, env, args)
	if err != nil {
		return err
	}
	client, err := f.line.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it has no error to tell
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := sender{flags: f, client: client, channel: args[0], sent: make(chan underWay, pubWindow)}
	go s.run(ctx, feed(ctx, payloads))
	report := pubReport{flags: f, channel: args[0], out: bufio.NewWriter(env.stdout)}
	var failure error
	for p := range s.sent {
		if failure == nil {
			failure = report.wait(p, len(s.sent) == 0)
		}
		if failure != nil {
			cancel()
		}
		p.done()
	}
	if failure == nil {
		failure = s.err
	}
	if err := report.finish(failure == nil || report.count > 0); err != nil {
		return err
	}
	return explain(failure, f.line.options())
}

// input is what is to be published next, or why there is no more.
type input struct {
	payload magpieclient.Payload
	err     error
}

// feed reads the input beside everything else: a read of stdin cannot be called off.
func feed(ctx context.Context, payloads iter.Seq2[magpieclient.Payload, error]) <-chan input {
	inputs := make(chan input)
	go func() {
		defer close(inputs)
		for payload, err := range payloads {
			select {
			case inputs <- input{payload, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return inputs
}

// sender puts the messages on their way.
type sender struct {
	flags   *pubFlags
	client  *magpieclient.Client
	channel string
	sent    chan underWay // closed at the end of the input, of ctx, or at the first error
	err     error         // why it ended early; to be read once sent is closed
}

// underWay is a message whose answer is waited for.
type underWay struct {
	*magpieclient.Publishing
	done context.CancelFunc
}

func (s *sender) run(ctx context.Context, inputs <-chan input) {
	defer close(s.sent)
	for {
		select {
		case in, ok := <-inputs:
			if !ok {
				return
			}
			if s.err = in.err; s.err == nil {
				s.err = s.send(context.WithoutCancel(ctx), in.payload)
			}
			if s.err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func (s *sender) send(ctx context.Context, payload magpieclient.Payload) error {
	ctx, done := context.WithTimeout(ctx, publishTimeout)
	p, err := s.client.PublishAsync(ctx, s.channel, magpieclient.Publication{
		ID:      s.flags.id,
		Key:     s.flags.key,
		Tags:    s.flags.tags,
		Payload: payload,
	})
	if err != nil {
		done()
		return err
	}
	s.sent <- underWay{p, done}
	return nil
}

// payloads gives what is to be published. What can be checked before a line is opened is checked at once.
func (f *pubFlags) payloads(ctx context.Context, env environment, args []string) (iter.Seq2[magpieclient.Payload, error], error) {
	if f.lines {
		return f.linesOf(env.stdin), nil
	}
	payload, err := f.single(ctx, env, args)
	if err != nil {
		return nil, err
	}
	return func(yield func(magpieclient.Payload, error) bool) {
		for range f.count {
			if !yield(payload, nil) {
				return
			}
		}
	}, nil
}

func (f *pubFlags) single(ctx context.Context, env environment, args []string) (magpieclient.Payload, error) {
	if f.bytes != "" {
		data, err := readFileOrStdin(ctx, env, f.bytes)
		if err != nil {
			return magpieclient.Payload{}, usagef("--bytes: %w", err)
		}
		return magpieclient.Bytes(data), nil
	}
	var data []byte
	if len(args) == 2 {
		data = []byte(args[1])
	} else {
		var err error
		if isTerminal(env.stdin) && !f.line.quiet {
			say(env, "type the message; Ctrl-D ends it")
		}
		if data, err = readAll(ctx, env.stdin); err != nil {
			return magpieclient.Payload{}, fmt.Errorf("read stdin: %w", err)
		}
	}
	return f.payload(data)
}

// payload takes data as what the flags say it is.
func (f *pubFlags) payload(data []byte) (magpieclient.Payload, error) {
	if f.text {
		if !utf8.Valid(data) {
			return magpieclient.Payload{}, usagef("the data is not UTF-8 text: publish it with --bytes")
		}
		return magpieclient.Text(string(data)), nil
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return magpieclient.Payload{}, usagef("there is no data: give it as an argument or on stdin, or an empty text with --text ''")
	}
	if !json.Valid(data) {
		return magpieclient.Payload{}, usagef("the data is not JSON: add --text to publish it as text, or quote it for the shell, as in '{\"a\":1}'")
	}
	return magpieclient.JSON(data), nil
}

func (f *pubFlags) linesOf(r io.Reader) iter.Seq2[magpieclient.Payload, error] {
	return func(yield func(magpieclient.Payload, error) bool) {
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxInputBytes)
		number := 0
		for scanner.Scan() {
			number++
			line := strings.TrimSuffix(scanner.Text(), "\r")
			if strings.TrimSpace(line) == "" {
				continue
			}
			payload, err := f.payload([]byte(line))
			if err != nil {
				err = fmt.Errorf("line %d of stdin: %w", number, err)
			}
			if !yield(payload, err) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(magpieclient.Payload{}, fmt.Errorf("line %d of stdin: %w", number+1, err))
		}
	}
}

// pubReport tells what became of the messages.
type pubReport struct {
	flags      *pubFlags
	channel    string
	out        *bufio.Writer
	count      int
	duplicates int
	last       magpieclient.Published
}

// pubLine is what --json prints for a message.
type pubLine struct {
	Channel   string `json:"channel"`
	MessageID string `json:"messageId"`
	Epoch     string `json:"epoch"`
	Offset    uint64 `json:"offset"`
	Duplicate bool   `json:"duplicate"`
}

// wait takes the answer of one message; flush says that no other waits to be told.
func (r *pubReport) wait(sent underWay, flush bool) error {
	p, err := sent.Wait()
	if err != nil {
		return fmt.Errorf("message %d: %w", r.count+1, err)
	}
	r.count++
	r.last = p
	if p.Duplicate {
		r.duplicates++
	}
	if !r.flags.json {
		return nil
	}
	line, err := json.Marshal(pubLine{r.channel, p.ID, p.Position.Epoch, p.Position.Offset, p.Duplicate})
	if err != nil {
		return err
	}
	_, err = r.out.Write(append(line, '\n'))
	if err == nil && flush {
		err = r.out.Flush()
	}
	return err
}

// finish writes what is left to say; told is false when the error says it all.
func (r *pubReport) finish(told bool) error {
	if told && !r.flags.json && !r.flags.line.quiet {
		r.summarise()
	}
	return r.out.Flush()
}

// summarise writes the result for a person; Flush tells whether it could be written.
func (r *pubReport) summarise() {
	note := ""
	switch {
	case r.duplicates == 1 && r.count == 1:
		note = " (it was there already)"
	case r.duplicates > 0:
		note = fmt.Sprintf(" (%d were there already)", r.duplicates)
	}
	if r.count == 1 {
		fmt.Fprintf(r.out, "published to %s at %s%s\n", r.channel, r.last.Position, note)
		return
	}
	fmt.Fprintf(r.out, "published %s to %s", counted(int64(r.count), "message"), r.channel)
	if r.count > 0 {
		fmt.Fprintf(r.out, ", the last at %s%s", r.last.Position, note)
	}
	fmt.Fprintln(r.out)
}

// readAll reads what is meant to be one message. A read of a terminal cannot be called off: it is left behind when ctx
// ends.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(r, maxInputBytes+1))
		if err == nil && len(data) > maxInputBytes {
			err = fmt.Errorf("more than %d MiB: too much for one message", maxInputBytes>>20)
		}
		read <- result{data, err}
	}()
	select {
	case got := <-read:
		return got.data, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// readFileOrStdin reads the whole of a file, or of stdin where the name is "-".
func readFileOrStdin(ctx context.Context, env environment, name string) ([]byte, error) {
	if name == "-" {
		return readAll(ctx, env.stdin)
	}
	f, err := os.Open(name) //nolint:gosec // whoever runs the command names the file
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(ctx, f)
}
