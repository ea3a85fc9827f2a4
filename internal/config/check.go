package config

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
)

// Check reports, as an [Error], the settings that contradict each other. Load and Parse have done so already; a
// configuration made in Go needs it.
func (c *Config) Check() error {
	var ps problems
	c.checkAccess(&ps)
	c.checkTimes(&ps)
	c.checkNames(&ps)
	if c.Limits.OutboxBytes < c.Limits.FrameBytes {
		ps.add(c.places["limits.outbox_bytes"], "limits.outbox_bytes", "%s is less than %s: an outbox must hold at least one frame",
			c.told("limits.outbox_bytes", c.Limits.OutboxBytes), c.told("limits.frame_bytes", c.Limits.FrameBytes))
	}
	if c.Driver == DriverEpoll && runtime.GOOS != "linux" {
		ps.add(c.places["driver"], "driver", "epoll exists on Linux only, and this is %s: expected auto or goroutine", runtime.GOOS)
	}
	return ps.err()
}

// checkAccess keeps a gateway that anybody could use from being reachable by anybody.
func (c *Config) checkAccess(ps *problems) {
	if err := checkListen(c.Listen); err != nil {
		ps.add(c.places["listen"], "listen", "found %q: %s", shorten(c.Listen), err)
		return
	}
	if c.Development && !isLoopback(c.Listen) {
		ps.add(c.places["development"], "development", "%s lets everybody in without a token, but %s can be reached from other machines: listen on 127.0.0.1 or turn development off",
			c.told("development", true), c.told("listen", c.Listen))
	}
	if !c.Development && !c.Auth.JWT.Secret.IsSet() && len(c.Auth.APIKeys) == 0 {
		ps.add(c.places["auth"], "auth", "nobody could connect: set auth.jwt.secret (or MAGPIE_AUTH_JWT_SECRET) or auth.api_keys, or development: true on your own machine")
	}
}

func (c *Config) checkTimes(ps *problems) {
	const interval, timeout = "heartbeat.interval", "heartbeat.timeout"
	if c.Heartbeat.Timeout <= c.Heartbeat.Interval {
		ps.add(c.places[timeout], timeout, "%s is not longer than %s: a line would be closed before its first ping was answered",
			c.told(timeout, showDuration(c.Heartbeat.Timeout)), c.told(interval, showDuration(c.Heartbeat.Interval)))
	}
}

// checkNames finds names that are given twice.
func (c *Config) checkNames(ps *problems) {
	unique := func(list string, of func(i int) string, count int) {
		first := make(map[string]int)
		for i := range count {
			key := fmt.Sprintf("%s[%d]", list, i)
			if earlier, taken := first[of(i)]; taken {
				ps.add(c.places[key], key, "the name %q is taken by %s: names must differ", of(i), c.told(fmt.Sprintf("%s[%d]", list, earlier), nil))
				continue
			}
			first[of(i)] = i
		}
	}
	unique("auth.api_keys", func(i int) string { return c.Auth.APIKeys[i].Name }, len(c.Auth.APIKeys))
	unique("namespaces", func(i int) string { return c.Namespaces[i].Name }, len(c.Namespaces))
}

// told shows a key with where it was set and what it is: heartbeat.interval (line 12: 30s).
func (c *Config) told(key string, is any) string {
	var parts []string
	switch at, set := c.places[key]; {
	case !set:
	case at.line > 0:
		parts = append(parts, fmt.Sprintf("line %d", at.line))
	default:
		parts = append(parts, at.name)
	}
	if is != nil {
		parts = append(parts, fmt.Sprint(is))
	}
	if len(parts) == 0 {
		return key
	}
	return key + " (" + strings.Join(parts, ": ") + ")"
}

// isLoopback reports whether the address can be reached from this machine only.
func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
