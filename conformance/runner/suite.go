package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// suiteAllowance is what one suite may take. A client that hangs takes it all; Maven needs most of it the first time.
const suiteAllowance = 5 * time.Minute

// checks are what each client of a suite has to report; README.md tells what each is about.
func checks() []string {
	return []string{
		"connect", "publish", "payloads", "call", "ping", "recovery", "gap", "error", "token", "bad-token",
	}
}

// suite is a program that makes the checks with one client or several. For each it prints a line, "ok CLIENT CHECK" or
// "failed CLIENT CHECK: why".
type suite struct {
	dir     string
	command []string
	clients []string
}

func (s suite) run(ctx context.Context, f *field) []result {
	output, err := s.output(ctx, f)
	var results []result
	failed := err != nil
	for _, client := range s.clients {
		r := judge(client, output)
		failed = failed || len(r.failures) > 0
		results = append(results, r)
	}
	if failed {
		fmt.Printf("%s: %v\n%s\n", strings.Join(s.command, " "), err, output)
	}
	if err != nil && !slices.ContainsFunc(results, func(r result) bool { return len(r.failures) > 0 }) {
		results[0].failures = append(results[0].failures, "the suite ended with an error: "+err.Error())
	}
	return results
}

// colours are what Maven prints before the first line and behind the last, even when told not to.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// output runs the suite and returns all that it printed.
func (s suite) output(ctx context.Context, f *field) (string, error) {
	name := s.command[0]
	if strings.Contains(name, "/") {
		var err error
		if name, err = filepath.Abs(name); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, suiteAllowance)
	defer cancel()
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, name, s.command[1:]...) //nolint:gosec // the commands are in main.go
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.Env = append(os.Environ(),
		"MAGPIE_URL="+f.open.url(),
		"MAGPIE_FLAKY_URL="+f.flaky.url(),
		"MAGPIE_SECURE_URL="+f.secure.url(),
		"MAGPIE_JWT="+f.jwt,
		"MAGPIE_API_KEY="+f.apiKey,
	)
	endTogether(cmd)
	err := cmd.Run()
	return colours.ReplaceAllString(output.String(), ""), err
}

// endTogether lets the processes that a command starts be killed with it: Maven's and Go's do the work.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// judge reads what a suite printed about one client. A check that is not reported has failed.
func judge(client, output string) result {
	r := result{client: client, checks: len(checks())}
	for _, check := range checks() {
		passed, why := false, "was not reported"
		for line := range strings.Lines(output) {
			line = strings.TrimSpace(line)
			if line == "ok "+client+" "+check {
				passed = true
			}
			if reason, found := strings.CutPrefix(line, "failed "+client+" "+check+": "); found {
				passed, why = false, reason
				break
			}
		}
		if !passed {
			r.failures = append(r.failures, check+": "+why)
		}
	}
	return r
}
