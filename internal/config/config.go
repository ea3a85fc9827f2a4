package config

import (
	"crypto/sha256"
	"time"
)

// Config holds every setting of a gateway. Make one with [Default], [Load] or [Parse]; treat it as immutable once it
// is in use.
type Config struct {
	// Listen is the address of the gateway's one port, host:port. Default 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	TLS    TLS    `yaml:"tls"`
	// Development lets everybody on this machine in without a token. Default false.
	Development bool `yaml:"development"`
	// Authenticated says that the program that embeds the gateway finds out who its clients are. It is in no file.
	Authenticated bool `yaml:"-"`
	// NodeID names this node in a cluster and to clients. Default "", for which Load puts the host's name and a
	// random part.
	NodeID string `yaml:"node_id"`
	Log    Log    `yaml:"log"`
	Auth   Auth   `yaml:"auth"`
	// Origins lists the web origins that may use the gateway besides its own: https://app.example.com,
	// https://*.example.com. Default none.
	Origins   []string  `yaml:"origins"`
	Limits    Limits    `yaml:"limits"`
	Heartbeat Heartbeat `yaml:"heartbeat"`
	Sessions  Sessions  `yaml:"sessions"`
	Shutdown  Shutdown  `yaml:"shutdown"`
	Memory    Memory    `yaml:"memory"`
	// Loops is the number of event loops that own the connections. Default 0, for which Load puts the number of cores.
	Loops int `yaml:"loops"`
	// Driver moves the bytes: auto, epoll (Linux only) or goroutine. Default auto: epoll where there is one.
	Driver string `yaml:"driver"`
	// Compression agrees to permessage-deflate with WebSocket clients that offer it, as browsers do. It saves bytes and
	// costs processor time: once for each message, and not for each subscriber. Default false.
	Compression bool `yaml:"compression"`
	// Engine keeps the channels: auto, memory or disk. Default auto: disk where Data names a directory.
	Engine string `yaml:"engine"`
	// Data is the directory for what outlives the process: the node's id, and the channels of the disk engine. Default
	// "": nothing does.
	Data string `yaml:"data"`
	Disk Disk   `yaml:"disk"`
	// Durability is what an acknowledged message survives with the disk engine, in channels that no namespace covers:
	// memory, written or synced. Default synced.
	Durability string `yaml:"durability"`
	// Retention bounds what is kept of each channel that no namespace covers.
	Retention Retention `yaml:"retention"`
	// Idempotency bounds how long messageIds are remembered in channels that no namespace covers.
	Idempotency Idempotency `yaml:"idempotency"`
	// SlowConsumer is what becomes of subscriptions that fall behind in channels that no namespace covers: lag, latest or
	// disconnect. Default lag.
	SlowConsumer string `yaml:"slow_consumer"`
	// MaxLag is how many messages they may be behind before latest and disconnect act. Default 0, which stands for 1000; lag
	// has no bound.
	MaxLag int `yaml:"max_lag"`
	// Namespaces are looked through in order, and the first whose pattern covers a channel sets what holds for it. The
	// built-in one, logs, comes last unless the file has one of that name.
	Namespaces []Namespace `yaml:"namespaces"`
	Logs       Logs        `yaml:"logs"`
	Presence   Presence    `yaml:"presence"`
	Console    Console     `yaml:"console"`
	Metrics    Metrics     `yaml:"metrics"`
	// System has the channels sys.nodes, sys.config and sys.metrics written at all times. Default false: while somebody of
	// this node has subscribed them.
	System bool `yaml:"system"`

	places places // where each key was set
}

// TLS lets the gateway's port speak TLS, and nothing else. It takes both files, or neither.
type TLS struct {
	// Cert is a PEM file with the certificate and those between it and a root. Default "": no TLS.
	Cert string `yaml:"cert"`
	// Key is a PEM file with the certificate's key. Default "".
	Key string `yaml:"key"`
}

// Enabled reports whether the port speaks TLS.
func (t TLS) Enabled() bool { return t.Cert != "" }

// Log is about the gateway's own log lines.
type Log struct {
	// Level is the least severe level written: debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is json or text. Default json.
	Format string `yaml:"format"`
}

// Auth says who may connect, and what they may do. Outside development at least one way in is needed.
type Auth struct {
	JWT JWT `yaml:"jwt"`
	// APIKeys are for services. Default none.
	APIKeys []APIKey `yaml:"api_keys"`
	// DefaultRights are those of tokens that name none. Default: calling magpie.*. A user's own channel, user.<id>,
	// needs no right.
	DefaultRights Rights `yaml:"default_rights"`
}

// JWT is about JSON Web Tokens signed with HS256.
type JWT struct {
	// Secret is the key, of at least 32 bytes. Default empty: tokens are not accepted.
	Secret Secret `yaml:"secret"`
	// Issuer is the claim iss that is required. Default empty: any.
	Issuer string `yaml:"issuer"`
	// Audience is what the claim aud must contain. Default empty: any.
	Audience string `yaml:"audience"`
	// RequireExpiry refuses tokens without the claim exp. Default true.
	RequireExpiry bool `yaml:"require_expiry"`
	// Leeway forgives clocks that differ, a duration. Default 30s.
	Leeway time.Duration `yaml:"leeway"`
}

// APIKey is a key of a service. In a file it is given as key (a secret) or as sha256 (64 hex digits); only the hash is
// kept.
type APIKey struct {
	// Name tells keys apart in logs.
	Name string `yaml:"name"`
	// SHA256 is the hash of the whole key.
	SHA256 KeyHash `yaml:"sha256"`
	// User is whom the key stands for. Default: Name.
	User   string `yaml:"user"`
	Rights `yaml:",inline"`
}

// KeyHash is the SHA-256 of an API key.
type KeyHash [sha256.Size]byte

// Rights are lists of patterns: dot-separated words, "*" for one word, a last ">" for the rest.
type Rights struct {
	// Publish lists the channels that may be published to. Default none.
	Publish []string `yaml:"publish"`
	// Subscribe lists the channels that may be subscribed. Default none.
	Subscribe []string `yaml:"subscribe"`
	// Call lists the methods that may be called. Default none.
	Call []string `yaml:"call"`
	// Serve lists the methods that may be served to others. Default none.
	Serve []string `yaml:"serve"`
	// Reach lists whom calls may be directed at besides the sessions of the same user: user.<id>, session.<id>, or
	// channels, whose subscribers are meant. Default none.
	Reach []string `yaml:"reach"`
	// Presence lists the channels whose members may be seen, and as user.<id> the users of whom it may be seen whether
	// they are online. Default none.
	Presence []string `yaml:"presence"`
}

// Limits bound what clients can cost.
type Limits struct {
	// FrameBytes is the largest frame taken from a client, a size. Default 64KiB.
	FrameBytes Size `yaml:"frame_bytes"`
	// Connections is how many this node takes. Default 100000.
	Connections int `yaml:"connections"`
	// SessionsPerUser is how many of them may be one user's; 0: any number. Default 0.
	SessionsPerUser int `yaml:"sessions_per_user"`
	// Subscriptions is how many channels one session may have subscribed. Default 1000.
	Subscriptions int `yaml:"subscriptions"`
	// OutboxBytes is how much may wait for one client that is meant for it alone, a size. Default 256KiB.
	OutboxBytes Size `yaml:"outbox_bytes"`
	// ConnectTimeout is how long a connection may take to say who it is, a duration. Default 10s.
	ConnectTimeout time.Duration `yaml:"connect_timeout"`
	// Handshakes is how many may be under way at once. Default 1024.
	Handshakes int `yaml:"handshakes"`
}

// Heartbeat says how a dead line is noticed.
type Heartbeat struct {
	// Interval is the time between pings, a duration. Default 30s.
	Interval time.Duration `yaml:"interval"`
	// Timeout is how long a line may be silent, a duration longer than Interval. Default 90s.
	Timeout time.Duration `yaml:"timeout"`
	// WriteTimeout is how long a client may take no byte of what waits for it, a duration. Default 90s.
	WriteTimeout time.Duration `yaml:"write_timeout"`
}

// Sessions says which sessions outlive their line, so that a client that comes back goes on with its own.
type Sessions struct {
	// ResumeWithin is how long after its line broke a session can be resumed, a duration. Default 30m.
	ResumeWithin time.Duration `yaml:"resume_within"`
	// Kept is how many are kept, a count; the oldest give way. 0: no session outlives its line. Default 100000.
	Kept int `yaml:"kept"`
	// KeptPerUser is how many are kept of one user, a count; the oldest give way. Default 16.
	KeptPerUser int `yaml:"kept_per_user"`
}

// Shutdown says how a node leaves.
type Shutdown struct {
	// Drain is how long work in hand may take to end before lines are closed, a duration. Default 5s.
	Drain time.Duration `yaml:"drain"`
	// Window is the time over which clients are told to come back, so that they do not all come at once, a duration.
	// Default 10s.
	Window time.Duration `yaml:"window"`
}

// Memory bounds the process.
type Memory struct {
	// LogBytes is what the logs of all channels may hold together, a size. Default 0, for which Load puts a quarter of
	// the memory there is, at least 64MiB and at most 4GiB.
	LogBytes Size `yaml:"log_bytes"`
}

// Retention bounds what is kept of a channel; whichever bound is reached first counts.
type Retention struct {
	// Messages is a count. Default 100000.
	Messages int `yaml:"messages"`
	// Bytes is a size. Default 16MiB.
	Bytes Size `yaml:"bytes"`
	// Age is a duration. Default 10m.
	Age time.Duration `yaml:"age"`
}

// Disk is about the engine of that name.
type Disk struct {
	// MaxBytes is what its directory may take, a size; beyond it publishes are refused. Default 0: no bound.
	MaxBytes Size `yaml:"max_bytes"`
}

// Idempotency says how long a publisher's messageId is remembered, so that a message published again is recognised;
// whichever bound is reached first counts, and no message is remembered longer than it is kept.
type Idempotency struct {
	// Messages is a count. Default 100000.
	Messages int `yaml:"messages"`
	// Age is a duration. Default 10m.
	Age time.Duration `yaml:"age"`
}

// Namespace gives the channels of a pattern settings of their own. What is left out is as for all others.
type Namespace struct {
	// Name tells namespaces apart.
	Name string `yaml:"name"`
	// Pattern says which channels: dot-separated words, "*" for one word, a last ">" for the rest.
	Pattern string `yaml:"pattern"`
	// Durability is memory, written or synced.
	Durability  string      `yaml:"durability"`
	Retention   Retention   `yaml:"retention"`
	Idempotency Idempotency `yaml:"idempotency"`
	// SlowConsumer is lag, latest or disconnect.
	SlowConsumer string `yaml:"slow_consumer"`
	// MaxLag is how many messages a subscription may be behind before latest and disconnect act, 0 for 1000.
	MaxLag int `yaml:"max_lag"`
	// Presence has the channel sys.members.<channel> tell of each channel who subscribes it and who leaves. Default false.
	Presence bool `yaml:"presence"`
	// MaxMessage is the largest payload of a message, a size. Default 0, which stands for limits.frame_bytes.
	MaxMessage Size `yaml:"max_message"`
	// Publish is who may publish besides those who have the right by their credential: none, everybody, or a list of users.
	// Default none.
	Publish Audience `yaml:"publish"`
	// Subscribe is the same of subscribing, and reading the history.
	Subscribe Audience `yaml:"subscribe"`
	// SeeMembers is the same of seeing who is in the channel, where it has presence.
	SeeMembers Audience `yaml:"see_members"`
	// TTL is how long after its last message, or after its last subscriber has left, a channel is gone with all that it
	// keeps, a duration. Default 0s: that never happens.
	TTL time.Duration `yaml:"ttl"`
	// Create has channels made by whoever uses them first. Where it is false, a channel that nobody has made is not found.
	// Default true.
	Create bool `yaml:"create"`
}

// Logs is about log files that the gateway reads itself, and about its own log.
type Logs struct {
	// Globs lists the files: /var/log/app/*.log. Default none.
	Globs []string `yaml:"globs"`
	// Channel is where their lines are published. Default logs.local.
	Channel string `yaml:"channel"`
	// LinesBack is how many lines from the end of a file come first when it is seen for the first time, a count.
	// Default 1000.
	LinesBack int `yaml:"lines_back"`
	// OwnLog publishes the gateway's own log lines as well. Default true.
	OwnLog bool `yaml:"own_log"`
}

// Presence is about who is here. Which channels tell of their members, their namespaces say.
type Presence struct {
	// Online has the channel sys.online.<user> tell when each user comes online and goes. Default false.
	Online bool `yaml:"online"`
	// Grace is how long a session or a user may be away before that is told, a duration. Default 5s.
	Grace time.Duration `yaml:"grace"`
}

// Console is the web page that shows logs and channels.
type Console struct {
	// Enabled serves it. Default true.
	Enabled bool `yaml:"enabled"`
}

// Metrics are the figures for Prometheus.
type Metrics struct {
	// Enabled serves them. Default true.
	Enabled bool `yaml:"enabled"`
}

// Default returns the settings of an empty file. They are safe rather than ready: without a way to authenticate, and
// outside development mode, [Config.Check] refuses them.
func Default() *Config {
	return &Config{
		Listen: "127.0.0.1:8080",
		Log:    Log{Level: "info", Format: "json"},
		Auth: Auth{
			JWT:           JWT{RequireExpiry: true, Leeway: 30 * time.Second},
			DefaultRights: Rights{Call: []string{"magpie.*"}},
		},
		Limits: Limits{
			FrameBytes:     64 * KiB,
			Connections:    100_000,
			Subscriptions:  1000,
			OutboxBytes:    256 * KiB,
			ConnectTimeout: 10 * time.Second,
			Handshakes:     1024,
		},
		Heartbeat:   Heartbeat{Interval: 30 * time.Second, Timeout: 90 * time.Second, WriteTimeout: 90 * time.Second},
		Sessions:    Sessions{ResumeWithin: 30 * time.Minute, Kept: 100_000, KeptPerUser: 16},
		Shutdown:    Shutdown{Drain: 5 * time.Second, Window: 10 * time.Second},
		Driver:      DriverAuto,
		Engine:      EngineAuto,
		Durability:  DurabilitySynced,
		Retention:   Retention{Messages: 100_000, Bytes: 16 * MiB, Age: 10 * time.Minute},
		Idempotency: Idempotency{Messages: 100_000, Age: 10 * time.Minute},

		SlowConsumer: SlowLag,
		Namespaces: []Namespace{{
			Name: "logs", Pattern: "logs.>",
			Durability:  DurabilityWritten,
			Retention:   Retention{Messages: 200_000, Bytes: 256 * MiB, Age: 24 * time.Hour},
			Idempotency: Idempotency{Messages: 200_000, Age: 24 * time.Hour},

			SlowConsumer: SlowLag,
			Create:       true,
		}},
		Logs:     Logs{Channel: "logs.local", LinesBack: 1000, OwnLog: true},
		Presence: Presence{Grace: 5 * time.Second},
		Console:  Console{Enabled: true},
		Metrics:  Metrics{Enabled: true},
	}
}

// The values of [Config].Engine.
const (
	EngineAuto   = "auto"
	EngineMemory = "memory"
	EngineDisk   = "disk"
)

// OnDisk reports whether the channels are kept on disk.
func (c *Config) OnDisk() bool {
	return c.Engine == EngineDisk || c.Engine == EngineAuto && c.Data != ""
}

// The values of Durability.
const (
	DurabilityMemory  = "memory"
	DurabilityWritten = "written"
	DurabilitySynced  = "synced"
)

// The values of SlowConsumer.
const (
	SlowLag        = "lag"        // the cursor lags, until the retention makes a gap
	SlowLatest     = "latest"     // what is not the newest of its key is skipped
	SlowDisconnect = "disconnect" // the session is ended
)

// defaultMaxLag is what a client has on the way anyhow when many small messages come at once, and then some.
const defaultMaxLag = 1000

// LagBound is how many messages a subscription may be behind before the namespace's policy acts; 0: there is no bound.
func (n *Namespace) LagBound() int {
	switch {
	case n.SlowConsumer == SlowLag:
		return 0
	case n.MaxLag == 0:
		return defaultMaxLag
	}
	return n.MaxLag
}

// General is what holds for channels that no namespace covers.
func (c *Config) General() *Namespace {
	return &Namespace{
		Durability: c.Durability, Retention: c.Retention, Idempotency: c.Idempotency,
		SlowConsumer: c.SlowConsumer, MaxLag: c.MaxLag,
		Create: true,
	}
}

// The values of [Config].Driver.
const (
	DriverAuto      = "auto"
	DriverEpoll     = "epoll"
	DriverGoroutine = "goroutine"
)
