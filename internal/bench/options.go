package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/magpie-bridge/magpie/internal/bench/swarm"
	"github.com/magpie-bridge/magpie/internal/bench/target"
)

// Options say what to measure. The zero value of a field stands for what is named with it.
type Options struct {
	Scenario string        // required; see [Scenarios]
	Target   string        // magpie; see [target.Names]
	URL      string        // ws://, or for grpc http://, on the target's usual port of this machine
	Token    string        // none
	CA       string        // a PEM file with whom to trust for wss://; the machine's
	Insecure bool          // trust any certificate
	Stages   []int         // numbers of lines, one stage each: 1,000; for filters there may be none
	Servers  int           // lines that answer those of call, besides them: 10
	Filters  int           // different ones of filters: 20; below 0 none, and every line gets everything
	Channels int           // 1, or for channels a tenth of the lines
	InFlight int           // messages at once: 1, or for channels 64; calls of each line: 10; lines being opened for connect: 64
	Rate     float64       // messages a second, instead of InFlight: 0, or for storm 100, for filters 50,000
	Payload  int           // bytes: 128; for filters records, of their own length
	Messages int           // that lines have missed, for comeback and replay: 300
	Warmup   time.Duration // before a stage is measured: a fifth of Duration, at most 2 s
	Duration time.Duration // of a stage: 10 s
	PID      int           // of the server; 0: whoever listens on the port
	// Progress is told twice a second what goes on, in one line, in the goroutine of [Run]. It may be nil.
	Progress func(string)

	speaks   target.Target // for tests: instead of the one that Target names
	patience time.Duration // how long nothing may happen before it is taken for never
	calm     time.Duration // how long everybody stays before the next storm
}

const (
	defaultLines      = 1_000
	defaultPayload    = 128
	defaultMessages   = 300
	defaultDuration   = 10 * time.Second
	longestWarmup     = 2 * time.Second
	defaultPatience   = 5 * time.Second
	defaultCalm       = time.Second
	defaultInFlight   = 64  // of channels and connect
	mixedInFlight     = 8   // of the large channel
	callsInFlight     = 10  // of each caller
	defaultServers    = 10  // of call
	readersPerChannel = 10  // of channels
	stormRate         = 100 // messages a second while everybody reconnects
	defaultFilters    = 20
	recordRate        = 50_000 // log records a second, for filters

	maxPayload  = 60_000 // servers commonly take 64 KiB in a message, with what is around the payload
	maxInFlight = 1 << 20
	maxServers  = 1_000
)

// complete fills in what is left out, and says what cannot be.
func (o *Options) complete() error {
	if o.Target == "" {
		o.Target = "magpie"
	}
	if len(o.Stages) == 0 {
		o.Stages = []int{defaultLines}
	}
	setDefault(&o.Payload, defaultPayload)
	setDefault(&o.Messages, defaultMessages)
	setDefault(&o.Duration, defaultDuration)
	setDefault(&o.Warmup, min(o.Duration/5, longestWarmup))
	setDefault(&o.patience, defaultPatience)
	setDefault(&o.calm, defaultCalm)
	if o.URL == "" {
		o.URL = fmt.Sprintf("%s://127.0.0.1:%d", o.schemes()[0].name, target.DefaultPort(o.Target))
	}
	switch o.Scenario {
	case "channels", "connect":
		setDefault(&o.InFlight, defaultInFlight)
	case "call":
		setDefault(&o.InFlight, callsInFlight)
		setDefault(&o.Servers, defaultServers)
	case "mixed":
		setDefault(&o.InFlight, mixedInFlight)
	case "storm":
		setDefault(&o.Rate, stormRate)
	case "filters":
		setDefault(&o.Rate, recordRate)
		setDefault(&o.Filters, defaultFilters)
	}
	setDefault(&o.InFlight, 1)
	return o.check()
}

func (o *Options) check() error {
	if _, err := scenarioOf(o.Scenario); err != nil {
		return err
	}
	least := 1
	if o.Scenario == "filters" {
		least = 0
	}
	for _, n := range o.Stages {
		if n < least || n > swarm.MaxLines {
			return fmt.Errorf("%d connections: expected %d to %d, which is what one process may have open; start several processes for more", n, least, swarm.MaxLines)
		}
	}
	if err := errors.Join(o.checkCalls(), o.checkFilters()); err != nil {
		return err
	}
	switch {
	case o.Scenario == "publish" && o.Target != "magpie" && o.Target != "nats":
		return fmt.Errorf("publish can be measured with the targets magpie and nats: %s acknowledges nothing that it has stored", o.Target)
	case o.Payload < stampBytes || o.Payload > maxPayload:
		return fmt.Errorf("a payload of %d bytes: expected %d, which the stamp needs, to %d", o.Payload, stampBytes, maxPayload)
	case o.InFlight < 1 || o.InFlight > maxInFlight:
		return fmt.Errorf("%d messages in flight: expected 1 to %d", o.InFlight, maxInFlight)
	case o.Messages < 1:
		return fmt.Errorf("%d messages to miss: expected at least 1", o.Messages)
	case o.Channels < 0:
		return fmt.Errorf("%d channels: expected at least 1", o.Channels)
	case o.Rate < 0:
		return fmt.Errorf("%v messages a second: expected more than 0", o.Rate)
	case o.Duration < 0 || o.Warmup < 0:
		return errors.New("a stage cannot last less than no time")
	}
	return nil
}

// checkCalls says what cannot be of calls.
func (o *Options) checkCalls() error {
	calls := o.Scenario == "call"
	switch {
	case calls && !slices.Contains([]string{"magpie", "nats", "grpc"}, o.Target):
		return fmt.Errorf("call can be measured with the targets magpie, nats and grpc: %s has no calls", o.Target)
	case !calls && o.Target == "grpc":
		return errors.New("grpc can be measured with call alone")
	case calls && (o.Servers < 1 || o.Servers > maxServers):
		return fmt.Errorf("%d servers: expected 1 to %d", o.Servers, maxServers)
	case calls && o.InFlight*slices.Max(o.Stages) > o.Servers*target.Concurrency:
		return fmt.Errorf("%d calls in flight of each of %d callers are more than %d servers take, %d each",
			o.InFlight, slices.Max(o.Stages), o.Servers, target.Concurrency)
	}
	return nil
}

// checkFilters says what cannot be of filters.
func (o *Options) checkFilters() error {
	switch {
	case o.Scenario != "filters":
		return nil
	case o.Target != "magpie":
		return fmt.Errorf("filters can be measured with the target magpie: %s has not its language", o.Target)
	case o.Filters > maxFilters:
		return fmt.Errorf("%d filters: expected at most %d, which is what a channel has", o.Filters, maxFilters)
	case o.Channels > 1:
		return fmt.Errorf("%d channels: filters has one", o.Channels)
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// channels is the number of channels of a stage with so many lines.
func (o *Options) channels(lines int) int {
	switch {
	case o.Channels > 0:
		return min(o.Channels, lines) // one without a reader would say nothing
	case o.Scenario == "channels":
		return max(lines/readersPerChannel, 1)
	default:
		return 1
	}
}

// address finds out where the server is.
func (o *Options) address(ctx context.Context) (swarm.Options, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Hostname() == "" {
		return swarm.Options{}, fmt.Errorf("%q is no address: expected something like ws://127.0.0.1:8080/ws", o.URL)
	}
	usual, err := o.usualPort(u)
	if err != nil {
		return swarm.Options{}, err
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if u.Port() == "" {
		port, err = usual, nil
	}
	if err != nil {
		return swarm.Options{}, fmt.Errorf("%q: %w", o.URL, err)
	}
	trust, err := o.trust(u)
	if err != nil {
		return swarm.Options{}, err
	}
	addresses, err := new(net.Resolver).LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return swarm.Options{}, fmt.Errorf("find %s: %w", u.Hostname(), err)
	}
	return swarm.Options{
		Address: netip.AddrPortFrom(addresses[0].Unmap(), uint16(port)),
		Host:    u.Host,
		Path:    u.RequestURI(),
		TLS:     trust,
	}, nil
}

// scheme is how an address may begin, and which port that means.
type scheme struct {
	name string
	port uint64
}

func (o *Options) schemes() []scheme {
	if o.Target == "grpc" {
		return []scheme{{"http", 80}}
	}
	return []scheme{{"ws", 80}, {"wss", 443}}
}

func (o *Options) usualPort(u *url.URL) (uint64, error) {
	var names []string
	for _, s := range o.schemes() {
		if s.name == u.Scheme {
			return s.port, nil
		}
		names = append(names, s.name+"://")
	}
	return 0, fmt.Errorf("%q: expected %s", o.URL, strings.Join(names, " or "))
}

// trust says whom to take for the server over TLS; nil without TLS.
func (o *Options) trust(u *url.URL) (*tls.Config, error) {
	if u.Scheme != "wss" {
		if o.CA != "" || o.Insecure {
			return nil, fmt.Errorf("%q: whom to trust matters to wss:// alone", o.URL)
		}
		return nil, nil //nolint:nilnil // there is no TLS
	}
	c := &tls.Config{
		ServerName:         u.Hostname(),
		NextProtos:         []string{"http/1.1"},
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: o.Insecure, //nolint:gosec // asked for; only load is sent
	}
	if o.CA == "" {
		return c, nil
	}
	text, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, fmt.Errorf("read whom to trust: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate: expected PEM", o.CA)
	}
	return c, nil
}
