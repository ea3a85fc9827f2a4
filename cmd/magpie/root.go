package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// The exit statuses of every command.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked could not be done
	exitUsage  = 2 // the command line or the configuration is wrong
)

// environment is what a command sees of the process.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// usageError is a mistake in the command line or in a configuration: trying again would not help.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// errTold ends a command that has already said what is wrong.
var errTold = errors.New("said already")

// run executes one command line and gives the exit status.
func run(ctx context.Context, args []string, env environment) int {
	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errTold) {
		fmt.Fprintf(env.stderr, "magpie: %v\n", err)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		if !errors.Is(err, errTold) {
			fmt.Fprintf(env.stderr, "See %q.\n", command.CommandPath()+" --help")
		}
		return exitUsage
	}
	return exitFailed
}

func newRootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "magpie",
		Short: "A real-time messaging gateway, and its tools",
		Long: `Magpie carries messages, calls and logs between services, browsers and devices.

"magpie serve" is the gateway; the other commands are clients of a gateway, or work without one.

Exit status: 0 when all went well (also after Ctrl-C), 1 when something failed, 2 when the command line or a
configuration is wrong.`,
		Example: `  magpie serve --dev
  magpie sub chat.lobby
  magpie pub chat.lobby '{"username":"ann","message":"hello"}'
  magpie call magpie.echo '{"id":7}'
  magpie tail /var/log/syslog`,
		Args:          refuseUnknown,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SuggestionsMinimumDistance = 1
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		newServeCommand(env),
		newPubCommand(env),
		newSubCommand(env),
		newHistoryCommand(env),
		newCallCommand(env),
		newTailCommand(env),
		newLagCommand(env),
		newChannelsCommand(env),
		newSessionsCommand(env),
		newPresenceCommand(env),
		newDisconnectCommand(env),
		newReloadCommand(env),
		newBenchCommand(env),
		newTokenCommand(env),
		newCheckConfigCommand(env),
		newVersionCommand(env),
	)
	return root
}

// refuseUnknown answers a command that does not exist, with the nearest one that does.
func refuseUnknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q; did you mean %q?", args[0], near[0])
	}
	return usagef("there is no command %q", args[0])
}

// usage makes the mistakes that check finds in the arguments mistakes of usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &usageError{err}
		}
		return nil
	}
}

// atLeast asks for n arguments or more, which are called what.
func atLeast(n int, what string) cobra.PositionalArgs {
	return between(n, math.MaxInt, what)
}

// between asks for least to most arguments, which are called what.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s is missing: %s", what, cmd.UseLine())
		case len(args) > most:
			return usagef("%q is one argument too many: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// exclusive refuses flags that cannot stand together.
func exclusive(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usagef("%s exclude each other: leave all but one out", strings.Join(given, " and "))
	}
	return nil
}

// isTerminal reports whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nothing, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, nothing)
}
