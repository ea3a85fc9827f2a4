package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/wire"
	magpieclient "github.com/magpie-bridge/magpie/sdk/go"
)

const defaultURL = "ws://127.0.0.1:8080/ws"

// dialTimeout is how long a command waits for a gateway that neither answers nor refuses.
const dialTimeout = 10 * time.Second

// lineFlags are the flags of every command that needs a gateway.
type lineFlags struct {
	env   environment
	url   string
	token string
	quiet bool
}

func addLineFlags(cmd *cobra.Command, env environment) *lineFlags {
	f := &lineFlags{env: env}
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", "the gateway's address (default $MAGPIE_URL, or "+defaultURL+")")
	flags.StringVar(&f.token, "token", "", "the credential (default $MAGPIE_TOKEN); visible to other users of the machine")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing but what was asked for, and errors")
	return f
}

func (f *lineFlags) options() magpieclient.Options {
	opts := magpieclient.Options{
		URL:     lineURL(firstOf(f.url, f.env.getenv("MAGPIE_URL"), defaultURL)),
		Token:   firstOf(f.token, f.env.getenv("MAGPIE_TOKEN")),
		Name:    "magpie-cli",
		Version: buildVersion(),
	}
	if !f.quiet {
		opts.OnState = (&lineTeller{flags: f}).tell
	}
	return opts
}

// dial opens the line, or says in one sentence why there is none.
func (f *lineFlags) dial(ctx context.Context) (*magpieclient.Client, error) {
	opts := f.options()
	if err := checkURL(opts.URL); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	client, err := magpieclient.Dial(waiting, opts)
	if err != nil {
		return nil, explain(err, opts)
	}
	return client, nil
}

// lineURL makes a line's address of what people type: the console's address will do, and /ws may be left out.
func lineURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String()
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "ws" && u.Scheme != "wss") {
		return usagef("--url %q: expected a gateway's address, such as %s", address, defaultURL)
	}
	return nil
}

// explain says what the trouble with a line means to whoever typed the command.
func explain(err error, opts magpieclient.Options) error {
	if err == nil {
		return nil
	}
	host := "the gateway"
	if u, parseErr := url.Parse(opts.URL); parseErr == nil {
		host = u.Host
	}
	code := magpieclient.CodeOf(err)
	if code == magpieclient.CodeUnauthenticated {
		if opts.Token == "" {
			return fmt.Errorf("%s wants to know who you are: give a credential with --token or MAGPIE_TOKEN, or make one with `magpie token`", host)
		}
		return fmt.Errorf("%s refused the credential; give a valid one with --token or MAGPIE_TOKEN, or make one with `magpie token`: %w", host, err)
	}
	if code == magpieclient.CodePermissionDenied {
		return fmt.Errorf("%s does not allow it; use a credential with the right, --token or MAGPIE_TOKEN: %w", host, err)
	}
	if refused(err) {
		return fmt.Errorf("no gateway at %s: start one with `make run` or name it with --url", host)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("no gateway at %s: %s; check --url", host, dns.Err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer from %s in time; check that it is a gateway, or name another with --url: %w", host, err)
	}
	return err
}

// refused reports whether nobody listened at the address.
func refused(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return true
	}
	const windowsRefused = syscall.Errno(10061) // WSAECONNREFUSED, which package syscall does not name
	return runtime.GOOS == "windows" && errors.Is(err, windowsRefused)
}

// lineTeller tells on stderr when the line breaks and when it is back. That there is none at first is an error of the
// command. The client calls it from one goroutine.
type lineTeller struct {
	flags     *lineFlags
	connected bool // once, at least
	broken    bool
}

func (t *lineTeller) tell(change magpieclient.StateChange) {
	switch change.State {
	case magpieclient.StateWaiting:
		if t.connected && !t.broken {
			say(t.flags.env, "no line to the gateway (%v); trying again until it is back", change.Err)
		}
		t.broken = t.connected
	case magpieclient.StateConnected:
		if t.broken {
			say(t.flags.env, "the line to the gateway is back")
		}
		t.connected, t.broken = true, false
	case magpieclient.StateConnecting, magpieclient.StateClosed:
	}
}

// checkChannels refuses names that no gateway would take.
func checkChannels(names ...string) error {
	for _, name := range names {
		if err := wire.ChannelName(name).Check(); err != nil {
			return &usageError{errors.New(wire.AsError(err).Message)}
		}
	}
	return nil
}

// say tells something on stderr that is not the command's result.
func say(env environment, format string, args ...any) {
	fmt.Fprintf(env.stderr, "magpie: "+format+"\n", args...)
}

func firstOf(candidates ...string) string {
	for _, c := range candidates {
		if c != "" {
			return c
		}
	}
	return ""
}
