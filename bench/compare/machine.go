package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// machine describes this one in a line, without its name.
func machine(ctx context.Context) string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if model := field("/proc/cpuinfo", "model name"); model != "" {
		parts[0] += " (" + model + ")"
	}
	if total := field("/proc/meminfo", "MemTotal"); total != "" {
		var kib int64
		if _, err := fmt.Sscan(total, &kib); err == nil {
			parts = append(parts, fmt.Sprintf("%.0f GiB of memory", float64(kib)/(1<<20)))
		}
	}
	if release := output(ctx, "uname", "-sr"); release != "" {
		parts = append(parts, release)
	}
	return strings.Join(append(parts, runtime.GOOS+"/"+runtime.GOARCH), ", ")
}

// field finds a line such as "MemTotal:   8041452 kB" in a file of the system.
func field(name, key string) string {
	text, err := os.ReadFile(name) //nolint:gosec // the names are those of this file
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		k, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// versionOf tells which version of a subject was measured.
func (x *subject) versionOf(ctx context.Context, bin string) string {
	switch {
	case x.name == "Socket.IO":
		return socketIOVersion() + " on Node.js " + output(ctx, x.version[0], x.version[1:]...)
	case x.version != nil:
		return output(ctx, filepath.Join(bin, x.version[0]), x.version[1:]...)
	default:
		return "commit " + output(ctx, "git", "rev-parse", "--short", "HEAD")
	}
}

func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output() //nolint:gosec // the commands are those of this program
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
