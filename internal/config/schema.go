package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	// minSecretBytes is the least an HMAC key for SHA-256 may have (RFC 7518, section 3.2).
	minSecretBytes = 32
	// minAPIKeyBytes keeps keys beyond guessing, which is what makes a plain hash of them enough.
	minAPIKeyBytes = 24
	apiKeyPrefix   = "mgp_"
	maxNameBytes   = 128
	maxLoops       = 1024
	maxCount       = 100_000_000
	day            = 24 * time.Hour
)

// read goes through the whole file, in the order of the fields of [Config].
func (c *Config) read(s *section) {
	s.text("listen", &c.Listen, checkListen)
	s.section("tls", c.TLS.read)
	s.flag("development", &c.Development)
	s.text("node_id", &c.NodeID, checkNodeID)
	s.section("log", c.Log.read)
	s.section("auth", c.Auth.read)
	s.texts("origins", &c.Origins, checkOrigin)
	s.section("limits", c.Limits.read)
	s.section("heartbeat", c.Heartbeat.read)
	s.section("sessions", c.Sessions.read)
	s.section("shutdown", c.Shutdown.read)
	s.section("memory", c.Memory.read)
	s.count("loops", &c.Loops, 0, maxLoops)
	s.choice("driver", &c.Driver, DriverAuto, DriverEpoll, DriverGoroutine)
	s.flag("compression", &c.Compression)
	s.choice("engine", &c.Engine, EngineAuto, EngineMemory, EngineDisk)
	s.text("data", &c.Data, anyText)
	s.section("disk", c.Disk.read)
	s.durability(&c.Durability)
	s.section("retention", c.Retention.read)
	s.section("idempotency", c.Idempotency.read)
	s.slowConsumer(&c.SlowConsumer, &c.MaxLag)
	c.readNamespaces(s)
	s.section("logs", c.Logs.read)
	s.section("presence", c.Presence.read)
	s.section("console", func(s *section) { s.flag("enabled", &c.Console.Enabled) })
	s.section("metrics", func(s *section) { s.flag("enabled", &c.Metrics.Enabled) })
	s.flag("system", &c.System)
}

func (t *TLS) read(s *section) {
	s.file("cert", &t.Cert)
	s.file("key", &t.Key)
}

func (l *Log) read(s *section) {
	s.choice("level", &l.Level, "debug", "info", "warn", "error")
	s.choice("format", &l.Format, "json", "text")
}

func (a *Auth) read(s *section) {
	s.section("jwt", a.JWT.read)
	s.items("api_keys", func(s *section) {
		var key APIKey
		key.read(s)
		a.APIKeys = append(a.APIKeys, key)
	})
	s.section("default_rights", a.DefaultRights.read)
}

func (j *JWT) read(s *section) {
	s.secret("secret", &j.Secret, checkSecret)
	s.text("issuer", &j.Issuer, anyText)
	s.text("audience", &j.Audience, anyText)
	s.flag("require_expiry", &j.RequireExpiry)
	s.duration("leeway", &j.Leeway, 0, 10*time.Minute)
}

func (k *APIKey) read(s *section) {
	s.text("name", &k.Name, checkName)
	var key Secret
	before := len(s.problems)
	s.secret("key", &key, checkAPIKey)
	s.hash("sha256", &k.SHA256)
	s.text("user", &k.User, checkName)
	k.Rights.read(s)
	s.require("name")
	switch hasKey, hasHash := s.has("key"), s.has("sha256"); {
	case hasKey && hasHash:
		s.problems.add(s.value.at, strings.TrimSuffix(s.path, "."), "key (line %d) and sha256 (line %d) are both given: give one",
			s.places[s.path+"key"].line, s.places[s.path+"sha256"].line)
	case !hasKey && !hasHash && len(s.problems) == before:
		s.problems.add(s.value.at, strings.TrimSuffix(s.path, "."), "neither key nor sha256 is given: give one")
	case key.IsSet():
		k.SHA256 = hashKey(key)
	}
}

func (r *Rights) read(s *section) {
	s.texts("publish", &r.Publish, checkPattern)
	s.texts("subscribe", &r.Subscribe, checkPattern)
	s.texts("call", &r.Call, checkPattern)
	s.texts("serve", &r.Serve, checkPattern)
	s.texts("reach", &r.Reach, checkPattern)
	s.texts("presence", &r.Presence, checkPattern)
}

func (l *Limits) read(s *section) {
	s.size("frame_bytes", &l.FrameBytes, 1*KiB, 16*MiB)
	s.count("connections", &l.Connections, 1, 10_000_000)
	s.count("sessions_per_user", &l.SessionsPerUser, 0, 1_000_000)
	s.count("subscriptions", &l.Subscriptions, 1, 100_000)
	s.size("outbox_bytes", &l.OutboxBytes, 4*KiB, 64*MiB)
	s.duration("connect_timeout", &l.ConnectTimeout, 100*time.Millisecond, 5*time.Minute)
	s.count("handshakes", &l.Handshakes, 1, 1_000_000)
}

func (h *Heartbeat) read(s *section) {
	s.duration("interval", &h.Interval, time.Second, time.Hour)
	s.duration("timeout", &h.Timeout, 2*time.Second, 2*time.Hour)
	s.duration("write_timeout", &h.WriteTimeout, time.Second, time.Hour)
}

func (k *Sessions) read(s *section) {
	s.duration("resume_within", &k.ResumeWithin, 100*time.Millisecond, 30*day)
	s.count("kept", &k.Kept, 0, 10_000_000)
	s.count("kept_per_user", &k.KeptPerUser, 1, 10_000)
}

func (h *Shutdown) read(s *section) {
	s.duration("drain", &h.Drain, 0, time.Hour)
	s.duration("window", &h.Window, 0, time.Hour)
}

func (m *Memory) read(s *section) {
	if v := s.find("log_bytes"); v != nil && v.text == "0" {
		m.LogBytes = 0
		return
	}
	s.size("log_bytes", &m.LogBytes, minLogBytes, 1*TiB)
}

func (r *Retention) read(s *section) {
	s.count("messages", &r.Messages, 1, maxCount)
	s.size("bytes", &r.Bytes, 64*KiB, 1*TiB)
	s.duration("age", &r.Age, time.Second, 365*day)
}

func (d *Disk) read(s *section) {
	if v := s.find("max_bytes"); v != nil && v.text == "0" {
		d.MaxBytes = 0
		return
	}
	s.size("max_bytes", &d.MaxBytes, 256*MiB, 1024*TiB)
}

func (i *Idempotency) read(s *section) {
	s.count("messages", &i.Messages, 1, maxCount)
	s.duration("age", &i.Age, time.Second, 365*day)
}

func (p *Presence) read(s *section) {
	s.flag("online", &p.Online)
	s.duration("grace", &p.Grace, 0, 10*time.Minute)
}

func (s *section) durability(dst *string) {
	s.choice("durability", dst, DurabilityMemory, DurabilityWritten, DurabilitySynced)
}

func (s *section) slowConsumer(policy *string, maxLag *int) {
	s.choice("slow_consumer", policy, SlowLag, SlowLatest, SlowDisconnect)
	s.count("max_lag", maxLag, 0, maxCount)
}

// readNamespaces puts those of the file first, so that they can cover a part of a built-in one. What a namespace
// leaves out is inherited from the general settings, which have been read before.
func (c *Config) readNamespaces(s *section) {
	var read []Namespace
	s.items("namespaces", func(s *section) {
		n := *c.General()
		if s.has("slow_consumer") {
			n.MaxLag = 0 // the general one goes with the general policy
		}
		s.text("name", &n.Name, checkName)
		s.text("pattern", &n.Pattern, checkPattern)
		s.durability(&n.Durability)
		s.section("retention", n.Retention.read)
		s.section("idempotency", n.Idempotency.read)
		s.slowConsumer(&n.SlowConsumer, &n.MaxLag)
		s.flag("presence", &n.Presence)
		s.size("max_message", &n.MaxMessage, 0, 16*MiB)
		s.audience("publish", &n.Publish)
		s.audience("subscribe", &n.Subscribe)
		s.audience("see_members", &n.SeeMembers)
		s.duration("ttl", &n.TTL, 0, 365*day)
		s.flag("create", &n.Create)
		s.require("name")
		s.require("pattern")
		read = append(read, n)
	})
	for _, builtIn := range c.Namespaces {
		if !isNamed(read, builtIn.Name) {
			read = append(read, builtIn)
		}
	}
	c.Namespaces = read
}

func isNamed(namespaces []Namespace, name string) bool {
	for _, n := range namespaces {
		if n.Name == name {
			return true
		}
	}
	return false
}

func (l *Logs) read(s *section) {
	s.texts("globs", &l.Globs, checkGlob)
	s.text("channel", &l.Channel, func(text string) error {
		if !strings.HasPrefix(text, logChannelPrefix) || wire.ChannelName(text).Check() != nil {
			return fmt.Errorf("expected a channel whose name begins with %s, such as logs.local", logChannelPrefix)
		}
		return nil
	})
	s.count("lines_back", &l.LinesBack, 0, 1_000_000)
	s.flag("own_log", &l.OwnLog)
}

// logChannelPrefix begins the names of channels that hold log records.
const logChannelPrefix = "logs."

// has reports whether the mapping has key at all.
func (s *section) has(key string) bool {
	for _, f := range s.value.fields {
		if f.key == key {
			return true
		}
	}
	return false
}

// require notes that key is missing; where it is there but refused, enough was said.
func (s *section) require(key string) {
	if !s.has(key) {
		s.problems.add(s.value.at, s.path+key, "missing")
	}
}

func anyText(string) error { return nil }

func checkListen(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("expected host:port such as 127.0.0.1:8080, or :8080 for all addresses")
	}
	return nil
}

func checkNodeID(text string) error {
	if len(text) > maxNameBytes || text != "" && wire.ChannelName(strings.ReplaceAll(text, ".", "-")).Check() != nil {
		return fmt.Errorf("expected at most %d letters, digits, '_', '-' and dots", maxNameBytes)
	}
	return nil
}

func checkName(text string) error {
	printable := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if text == "" || len(text) > maxNameBytes || !printable {
		return fmt.Errorf("expected a name of 1 to %d bytes that can be printed", maxNameBytes)
	}
	return nil
}

// originForm is the rough shape of an allowed origin; the policy that is built of it reads it closely.
var originForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://(\*\.)?[^*/?#@\\\s]+$`)

func checkOrigin(text string) error {
	if text == "null" || originForm.MatchString(text) {
		return nil
	}
	return errors.New("expected an origin such as https://app.example.com, or https://*.example.com for its subdomains")
}

func checkGlob(text string) error {
	if _, err := filepath.Match(text, ""); err != nil || text == "" {
		return errors.New("expected a file pattern such as /var/log/app/*.log")
	}
	return nil
}

// checkSecret lets an empty value stand for no secret; a variable or a file that should hold one is never empty.
func checkSecret(plain string) error {
	if plain != "" && len(plain) < minSecretBytes {
		return fmt.Errorf("the secret has %d bytes: expected at least %d, for example from: openssl rand -base64 48", len(plain), minSecretBytes)
	}
	return nil
}

func checkAPIKey(plain string) error {
	if !strings.HasPrefix(plain, apiKeyPrefix) || len(plain) < minAPIKeyBytes {
		return fmt.Errorf("the key must begin with %s and have at least %d bytes: expected such as %s$(openssl rand -hex 24) gives", apiKeyPrefix, minAPIKeyBytes, apiKeyPrefix)
	}
	return nil
}
