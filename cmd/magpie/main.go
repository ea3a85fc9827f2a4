// Command magpie is the gateway and its tools: one binary, one subcommand each.
//
//	main.go         the process: arguments, signals, exit status
//	root.go         the root command, and what the subcommands share
//	serve.go        magpie serve: the gateway
//	line.go         the line to a gateway: flags, and errors that say what to do
//	pub.go          magpie pub
//	sub.go          magpie sub; show.go prints messages, position.go remembers where it stands
//	call.go         magpie call
//	tail.go         magpie tail; progress.go is its line on a terminal
//	reload.go       magpie reload, and what a hangup does to magpie serve
//	lag.go          magpie lag
//	bench.go        magpie bench
//	token.go        magpie token
//	checkconfig.go  magpie check-config
//	version.go      magpie version
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	status := run(ctx, os.Args[1:], environment{
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		getenv: os.Getenv,
	})
	stop()
	os.Exit(status)
}
