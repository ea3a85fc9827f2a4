package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
)

// maxPEMBytes bounds the files of a certificate and of its key.
const maxPEMBytes = 1 << 20

// Check reports, as an [Error], the settings that contradict each other. Load and Parse have done so already; a
// configuration made in Go needs it.
func (c *Config) Check() error {
	var ps problems
	c.checkAccess(&ps)
	c.checkTLS(&ps)
	c.checkTimes(&ps)
	c.checkNames(&ps)
	c.checkSlow(&ps)
	c.checkNamespaces(&ps)
	if c.Limits.OutboxBytes < c.Limits.FrameBytes {
		c.contradiction(&ps, setting{"limits.outbox_bytes", c.Limits.OutboxBytes}, setting{"limits.frame_bytes", c.Limits.FrameBytes},
			"an outbox must hold at least one frame")
	}
	if c.Engine == EngineDisk && c.Data == "" {
		ps.add(c.places["engine"], "engine", "disk keeps the channels in a directory, and none is named: set data (or MAGPIE_DATA, or --data)")
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
		c.contradiction(ps, setting{"development", true}, setting{"listen", c.Listen},
			"everybody would get in without a token, from other machines too; listen on 127.0.0.1 or turn development off")
	}
	if !c.Development && !c.Authenticated && !c.Auth.JWT.Secret.IsSet() && len(c.Auth.APIKeys) == 0 {
		ps.add(c.places["auth"], "auth", "nobody could connect: set auth.jwt.secret (or MAGPIE_AUTH_JWT_SECRET) or auth.api_keys, or development: true on your own machine")
	}
}

// checkTLS reads both files, so that a gateway does not start only to refuse every handshake.
func (c *Config) checkTLS(ps *problems) {
	wrong := func(key, format string, args ...any) {
		at, set := c.places[key]
		if !set {
			at = c.places["tls"]
		}
		ps.add(at, key, format, args...)
	}
	switch {
	case c.TLS == TLS{}:
		return
	case c.TLS.Cert == "":
		wrong("tls.cert", "missing: a key needs its certificate")
		return
	case c.TLS.Key == "":
		wrong("tls.key", "missing: a certificate needs its key")
		return
	}
	cert, err := readFile(c.TLS.Cert, maxPEMBytes)
	if err != nil {
		wrong("tls.cert", "the certificate cannot be read: %s", err)
	}
	key, keyErr := readFile(c.TLS.Key, maxPEMBytes)
	if keyErr != nil {
		wrong("tls.key", "the key cannot be read: %s", keyErr)
	}
	if err != nil || keyErr != nil {
		return
	}
	if block, _ := pem.Decode(cert); block == nil || block.Type != "CERTIFICATE" {
		wrong("tls.cert", "found no certificate in %s: expected PEM, with -----BEGIN CERTIFICATE----- first", c.TLS.Cert)
	} else if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		wrong("tls.cert", "found no certificate in %s: %s", c.TLS.Cert, err)
	} else if _, err := tls.X509KeyPair(cert, key); err != nil {
		wrong("tls.key", "the key in %s does not go with the certificate in %s: %s", c.TLS.Key, c.TLS.Cert, err)
	}
}

func (c *Config) checkTimes(ps *problems) {
	if c.Heartbeat.Timeout <= c.Heartbeat.Interval {
		c.contradiction(ps, setting{"heartbeat.timeout", showDuration(c.Heartbeat.Timeout)},
			setting{"heartbeat.interval", showDuration(c.Heartbeat.Interval)},
			"the timeout must be longer, or a line would be closed before a ping could be answered")
	}
}

// checkSlow finds bounds of lag that can never be reached, or mean nothing.
func (c *Config) checkSlow(ps *problems) {
	check := func(prefix string, n *Namespace) {
		bound := setting{prefix + "max_lag", n.MaxLag}
		switch kept := n.Retention.Messages; {
		case n.SlowConsumer == SlowLag && n.MaxLag != 0:
			c.contradiction(ps, bound, setting{prefix + "slow_consumer", n.SlowConsumer},
				"who lags may do so as far as the retention goes; leave max_lag out, or choose latest or disconnect")
		case n.SlowConsumer != SlowLag && n.LagBound() >= kept:
			bound.value = n.LagBound()
			c.contradiction(ps, bound, setting{prefix + "retention.messages", kept},
				"a subscription would lose messages before it is so far behind; lower max_lag or keep more")
		}
	}
	check("", c.General())
	for i := range c.Namespaces {
		check(fmt.Sprintf("namespaces[%d].", i), &c.Namespaces[i])
	}
}

// checkNames finds names that are given twice.
func (c *Config) checkNames(ps *problems) {
	unique := func(list string, of func(i int) string, count int) {
		first := make(map[string]int)
		for i := range count {
			key := fmt.Sprintf("%s[%d]", list, i)
			if earlier, taken := first[of(i)]; taken {
				ps.add(c.places[key], key, "the name %q is taken by %s[%d]%s: names must differ", of(i), list, earlier, c.where(fmt.Sprintf("%s[%d]", list, earlier)))
				continue
			}
			first[of(i)] = i
		}
	}
	unique("auth.api_keys", func(i int) string { return c.Auth.APIKeys[i].Name }, len(c.Auth.APIKeys))
	unique("namespaces", func(i int) string { return c.Namespaces[i].Name }, len(c.Namespaces))
}

// setting is a key with what it is.
type setting struct {
	key   string
	value any
}

// contradiction notes that the two settings do not go together. Where only the second was made, the problem stands
// there.
func (c *Config) contradiction(ps *problems, first, second setting, why string) {
	at, set := c.places[first.key]
	if !set {
		at = c.places[second.key]
	}
	ps.add(at, first.key, "found %v, and %s is %v%s: %s", first.value, second.key, second.value, c.where(second.key), why)
}

// where tells where a key was set, in brackets.
func (c *Config) where(key string) string {
	switch at, set := c.places[key]; {
	case !set:
		return ""
	case at.line > 0:
		return fmt.Sprintf(" (line %d)", at.line)
	default:
		return " (" + at.name + ")"
	}
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
	return err == nil && addr.IsLoopback()
}
