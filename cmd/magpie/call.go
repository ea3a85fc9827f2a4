package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/wire"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

const (
	// callTimeout is how long a call may take that is not told.
	callTimeout = 30 * time.Second
	// callTimeoutMax is the most that a gateway allows unless it is configured otherwise.
	callTimeoutMax = 5 * time.Minute
	// progressWidth is how much of a part is shown on a terminal's last line.
	progressWidth = 60
)

// callFlags are what the command line of call says.
type callFlags struct {
	line    *lineFlags
	to      string
	device  string
	all     bool
	timeout time.Duration
	meta    map[string]string
	text    bool
	json    bool
}

func newCallCommand(env environment) *cobra.Command {
	f := &callFlags{}
	cmd := &cobra.Command{
		Use:   "call METHOD [PAYLOAD]",
		Short: "Call a method and print the reply",
		Long: `Call a method at whoever serves it, or with --to at a user, a session or the subscribers of a channel, and print the reply.

PAYLOAD is JSON, or any text with --text; - takes it from stdin, and without it the call carries nothing. Parts that come before
the reply are shown on stderr. With --all, and always for a channel, everybody is asked, and each answer is printed.

A call is sent once. When it fails, the error begins with its code, such as not_found where nobody serves the method.`,
		Example: `  magpie call magpie.echo '{"id":7}'
  magpie call pricing.quote '{"sku":"a"}' --timeout 5s --meta traceparent=00-1
  magpie call ui.confirm 'Pay now?' --text --to user:42 --device phone
  magpie call ui.version --to user:42 --all
  magpie call ui.vote '"lunch?"' --to channel:room.7 --timeout 10s --json | jq -c .answers`,
		Args: between(1, 2, "the method"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args[0]); err != nil {
				return err
			}
			payload, err := f.payload(cmd.Context(), env, args[1:])
			if err != nil {
				return err
			}
			return f.call(cmd.Context(), env, args[0], payload)
		},
	}
	f.line = addLineFlags(cmd, env)
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "who is to answer: user:ID, session:ID or channel:NAME (default: whoever serves the method)")
	flags.StringVar(&f.device, "device", "", "ask the user's sessions on this device only")
	flags.BoolVar(&f.all, "all", false, "gather the answers of all sessions of the user")
	flags.DurationVar(&f.timeout, "timeout", callTimeout, "how long to wait, at most 5m")
	flags.StringToStringVar(&f.meta, "meta", nil, "what travels along, `NAME=VALUE`; may be repeated")
	flags.BoolVar(&f.text, "text", false, "the payload is text, not JSON")
	flags.BoolVar(&f.json, "json", false, "print one JSON object for each part and for the reply, or the error")
	return cmd
}

func (f *callFlags) check(method string) error {
	target := wire.Call{To: f.to, Device: f.device}
	if f.all {
		target.Answers = wire.AnswersAll
	}
	_, err := target.Target()
	if err = cmp.Or(wire.CheckMethod(method), err); err != nil {
		return &usageError{errors.New(wire.AsError(err).Message)}
	}
	if f.timeout < time.Millisecond || f.timeout > callTimeoutMax {
		return usagef("--timeout %s: expected 1ms to %s", f.timeout, callTimeoutMax)
	}
	return nil
}

func (f *callFlags) payload(ctx context.Context, env environment, args []string) (magpieclient.Payload, error) {
	if len(args) == 0 {
		return magpieclient.Payload{}, nil
	}
	data := []byte(args[0])
	if args[0] == "-" {
		var err error
		if data, err = readAll(ctx, env.stdin); err != nil {
			return magpieclient.Payload{}, fmt.Errorf("read stdin: %w", err)
		}
	}
	switch {
	case f.text && !utf8.Valid(data):
		return magpieclient.Payload{}, usagef("the payload is not UTF-8 text")
	case f.text:
		return magpieclient.Text(string(data)), nil
	case !json.Valid(data):
		return magpieclient.Payload{}, usagef("the payload is not JSON: add --text to send it as text, or quote it for the shell, as in '{\"a\":1}'")
	}
	return magpieclient.JSON(bytes.TrimSpace(data)), nil
}

func (f *callFlags) call(ctx context.Context, env environment, method string, payload magpieclient.Payload) error {
	client, err := f.line.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it has no error to tell
	waiting, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	parts := f.parts(waiting, env)
	reply, err := client.Call(waiting, method, payload, magpieclient.CallOptions{
		To:         f.to,
		Device:     f.device,
		All:        f.all,
		Meta:       f.meta,
		OnProgress: parts.take,
	})
	cancel()
	parts.showing.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("call %s: interrupted", method)
	case errors.Is(err, context.DeadlineExceeded): // before the gateway could say so
		err = fmt.Errorf("call %s: %w", method, &magpieclient.Error{
			Code: magpieclient.CodeDeadlineExceeded, Message: fmt.Sprintf("there was no reply within %s", f.timeout),
		})
	}
	if err == nil {
		err = parts.err
	}
	if err != nil {
		return f.failed(env, err)
	}
	return f.print(env, reply)
}

// failed tells of a call that failed.
func (f *callFlags) failed(env environment, err error) error {
	failure, ok := errors.AsType[*magpieclient.Error](err)
	if !f.json || !ok {
		return explain(err, f.line.options())
	}
	if err := writeLine(env.stdout, callLine{Type: "error", Error: errorLineOf(failure)}); err != nil {
		return err
	}
	return errTold
}

// callParts tells of the parts that come before a reply.
type callParts struct {
	env     environment
	json    bool
	quiet   bool
	showing sync.WaitGroup // the line on a terminal
	err     error          // of the output

	mu     sync.Mutex // guards the fields below
	count  int
	latest string // what a terminal shows
}

// parts makes ready for them: on a terminal the latest one is shown, until ctx ends.
func (f *callFlags) parts(ctx context.Context, env environment) *callParts {
	p := &callParts{env: env, json: f.json, quiet: f.line.quiet}
	if !p.json && !p.quiet && isTerminal(env.stderr) {
		p.quiet = true
		line := &progressLine{w: env.stderr}
		p.showing.Go(func() { line.run(ctx, p.describe) })
	}
	return p
}

// take tells of a part, as a line where there is no terminal.
func (p *callParts) take(part magpieclient.Payload) {
	shown := shownPayload(part)
	p.mu.Lock()
	p.count++
	p.latest = shown
	p.mu.Unlock()
	switch {
	case p.err != nil:
	case p.json:
		p.err = writeLine(p.env.stdout, callLine{Type: "progress", payloadFields: fieldsOf(part)})
	case !p.quiet:
		_, p.err = fmt.Fprintln(p.env.stderr, shown)
	}
}

// describe is the line on a terminal.
func (p *callParts) describe() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 {
		return ""
	}
	latest := []rune(p.latest)
	if len(latest) > progressWidth {
		latest = append(latest[:progressWidth], '…')
	}
	return fmt.Sprintf("part %d: %s", p.count, string(latest))
}

// print writes what the call brought back.
func (f *callFlags) print(env environment, reply *magpieclient.Reply) error {
	gathered := reply.Asked > 0
	succeeded := 0
	for _, a := range reply.Answers {
		if a.Err == nil {
			succeeded++
		}
	}
	switch {
	case f.json:
		if err := writeLine(env.stdout, replyLine(reply)); err != nil {
			return err
		}
	case gathered:
		if err := writeAnswers(env.stdout, reply.Answers); err != nil {
			return err
		}
	default:
		return writePayload(env.stdout, reply.Payload)
	}
	if gathered && !f.line.quiet {
		say(env, "%d of %d answered", succeeded, reply.Asked)
	}
	if gathered && succeeded == 0 {
		return errTold
	}
	return nil
}

// writePayload writes a result as it is or, onto a terminal, made harmless.
func writePayload(w io.Writer, p magpieclient.Payload) error {
	data := p.Bytes
	switch {
	case p.Kind == magpieclient.PayloadNone:
		return nil
	case p.Kind == magpieclient.PayloadJSON || isTerminal(w):
		data = []byte(shownPayload(p) + "\n")
	case p.Kind == magpieclient.PayloadText:
		data = append(bytes.Clone(data), '\n')
	}
	_, err := w.Write(data)
	return err
}

// writeAnswers writes a line for each of those who were asked.
func writeAnswers(w io.Writer, answers []magpieclient.Answer) error {
	var out bytes.Buffer
	for _, a := range answers {
		out.WriteString(inert(cmp.Or(a.UserID, "-")))
		if a.Device != "" {
			fmt.Fprintf(&out, " (%s)", inert(a.Device))
		}
		said := shownPayload(a.Payload)
		if a.Err != nil {
			said = inert(a.Err.Error())
		}
		fmt.Fprintf(&out, "  %s\n", said)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// callLine is what --json prints: a part, the reply, or the error.
type callLine struct {
	Type    string            `json:"type"`
	Meta    map[string]string `json:"meta,omitempty"`
	Asked   int               `json:"asked,omitempty"`
	Answers []answerLine      `json:"answers,omitempty"`
	Error   *errorLine        `json:"error,omitempty"`
	payloadFields
}

// answerLine is what one of those said who were asked.
type answerLine struct {
	UserID    string     `json:"userId,omitempty"`
	SessionID string     `json:"sessionId"`
	Device    string     `json:"device,omitempty"`
	Error     *errorLine `json:"error,omitempty"`
	payloadFields
}

// errorLine is an error with the fields that it has on the wire.
type errorLine struct {
	Code         string          `json:"code"`
	Message      string          `json:"message"`
	Retryable    bool            `json:"retryable,omitempty"`
	RetryAfterMs int64           `json:"retryAfterMs,omitempty"`
	Details      json.RawMessage `json:"details,omitempty"`
}

func errorLineOf(e *magpieclient.Error) *errorLine {
	return &errorLine{
		Code: string(e.Code), Message: e.Message, Retryable: e.Retryable,
		RetryAfterMs: e.RetryAfter.Milliseconds(), Details: e.Details,
	}
}

func replyLine(reply *magpieclient.Reply) callLine {
	line := callLine{Type: "reply", Meta: reply.Meta, Asked: reply.Asked, payloadFields: fieldsOf(reply.Payload)}
	for _, a := range reply.Answers {
		answer := answerLine{UserID: a.UserID, SessionID: a.SessionID, Device: a.Device, payloadFields: fieldsOf(a.Payload)}
		if failure, ok := errors.AsType[*magpieclient.Error](a.Err); ok {
			answer.Error = errorLineOf(failure)
		}
		line.Answers = append(line.Answers, answer)
	}
	return line
}

func writeLine(w io.Writer, line callLine) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}
