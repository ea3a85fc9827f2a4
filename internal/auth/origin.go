package auth

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/magpie-bridge/magpie/internal/wire"
)

// NullOrigin is what browsers send for sandboxed frames and files. Any page can make its origin null, so listing it
// lets everybody in.
const NullOrigin = "null"

// OriginPolicy decides which web pages may talk to the gateway. Browsers send cookies and reach loopback addresses on
// behalf of any page, and no same-origin rule holds for WebSockets: the Origin header is the only fence. A request
// without one does not come from a script of a foreign page, and passes.
//
// The zero value allows the gateway's own origin only. A policy is safe for use by many goroutines; [OriginPolicy.Become]
// alone changes it.
type OriginPolicy struct {
	instead atomic.Pointer[OriginPolicy] // what the policy has become; nil: what follows

	allowed     []origin
	null        bool
	development bool
}

// origin is a normalised origin. Where anySubdomain is set, host is what follows the first label.
type origin struct {
	scheme, host, port string
	anySubdomain       bool
}

// NewOriginPolicy makes a policy that allows, besides the gateway's own origin, those listed: exact ones such as
// https://app.example.com, https://*.example.com for its subdomains of one label, and "null". In development mode,
// where no token is needed, the Host must also be a loopback name, or a foreign name made to resolve to 127.0.0.1
// would count as the same origin.
func NewOriginPolicy(allowed []string, development bool) (*OriginPolicy, error) {
	p := &OriginPolicy{development: development}
	for _, text := range allowed {
		if text == NullOrigin {
			p.null = true
			continue
		}
		o, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		p.allowed = append(p.allowed, o)
	}
	return p, nil
}

// CheckOriginPattern reports what keeps text from standing in the list of allowed origins.
func CheckOriginPattern(text string) error {
	if text == NullOrigin {
		return nil
	}
	_, err := parsePattern(text)
	return err
}

// Become has p decide as other does.
func (p *OriginPolicy) Become(other *OriginPolicy) { p.instead.Store(other) }

// Check returns nil or a permission_denied [wire.Error]; the answer to such a request is 403.
func (p *OriginPolicy) Check(r *http.Request) error {
	if other := p.instead.Load(); other != nil {
		p = other
	}
	if p.development {
		if err := checkDevelopment(r); err != nil {
			return err
		}
	}
	values := r.Header.Values("Origin")
	switch {
	case len(values) == 0:
		return nil
	case len(values) > 1:
		return refuse("the request has several Origin headers")
	case values[0] == NullOrigin:
		if p.null {
			return nil
		}
		return refuse("the origin is null (a file or a sandboxed frame): serve the page over HTTP, or list null in origins")
	}
	from, err := parseOrigin(values[0])
	if err != nil {
		return refuse("the Origin header is no origin: expected scheme://host[:port]")
	}
	if from.isSame(r) {
		return nil
	}
	for _, allowed := range p.allowed {
		if allowed.matches(from) {
			return nil
		}
	}
	return refuse("pages of the origin %q may not use this gateway: it is neither the gateway's own (%q) nor listed in origins", from, r.Host)
}

func refuse(format string, args ...any) error {
	return wire.Errorf(wire.CodePermissionDenied, format, args...)
}

func checkDevelopment(r *http.Request) error {
	host, _, err := splitHost(r.Host)
	if err != nil || !IsLoopback(host) {
		return refuse("the Host is %q: in development mode the gateway answers to loopback names only (localhost, 127.0.0.1, [::1])", r.Host)
	}
	// An embedding program may listen on every address, and a Host is quickly forged.
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && !peer.Addr().Unmap().IsLoopback() {
		return refuse("the request came from another machine: in development mode only this one is served")
	}
	if strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site") {
		return refuse("the request was caused by a page of another site: in development mode open the gateway's address by itself")
	}
	return nil
}

// IsLoopback reports whether host, without a port, is a loopback name by its look; nothing is resolved.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// isSame reports whether the origin is the one the request was sent to. Where TLS ends at a proxy the gateway cannot
// see it, so an https page is also taken for the same over plain HTTP; an http page never is over TLS.
func (o origin) isSame(r *http.Request) bool {
	if o.scheme != "https" && (o.scheme != "http" || r.TLS != nil) {
		return false
	}
	host, port, err := splitHost(r.Host)
	if err != nil {
		return false
	}
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return host == o.host && port == o.port
}

// matches reports whether o, of the allow list, stands for from.
func (o origin) matches(from origin) bool {
	if o.scheme != from.scheme || o.port != from.port {
		return false
	}
	if !o.anySubdomain {
		return o.host == from.host
	}
	label, parent, ok := strings.Cut(from.host, ".")
	return ok && label != "" && parent == o.host
}

// String shows the origin as a browser would write it.
func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port != defaultPort(o.scheme) {
		host += ":" + o.port
	}
	return o.scheme + "://" + host
}

func parsePattern(text string) (origin, error) {
	const expected = "expected an origin such as https://app.example.com, or https://*.example.com for its subdomains"
	if text == "*" {
		return origin{}, errors.New(`"*" would let every web page in: list the origins of your pages`)
	}
	exact := strings.Replace(text, "://*.", "://", 1)
	o, err := parseOrigin(exact)
	if err != nil {
		return origin{}, fmt.Errorf("%q: %w; %s", text, err, expected)
	}
	o.anySubdomain = exact != text
	if o.anySubdomain {
		if _, err := netip.ParseAddr(o.host); err == nil || !strings.Contains(o.host, ".") {
			return origin{}, fmt.Errorf("%q: the subdomains of %q cannot be allowed as a whole; %s", text, o.host, expected)
		}
	}
	return o, nil
}

// parseOrigin reads scheme://host[:port] and nothing else.
func parseOrigin(text string) (origin, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || rest == "" {
		return origin{}, errors.New("it has no scheme or no host")
	}
	scheme = strings.ToLower(scheme)
	if strings.ContainsAny(rest, "/?#@\\*") {
		return origin{}, errors.New("it has more than a scheme, a host and a port")
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil {
		return origin{}, errors.New("it cannot be parsed")
	}
	host, port, err := splitHost(u.Host)
	if err != nil {
		return origin{}, err
	}
	if port == "" {
		port = defaultPort(scheme)
	}
	return origin{scheme: scheme, host: host, port: port}, nil
}

// splitHost returns the host in its one normal form, and the port, which may be empty.
func splitHost(hostport string) (host, port string, err error) {
	host = hostport
	if strings.HasSuffix(hostport, "]") || !strings.Contains(hostport, ":") {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	} else if host, port, err = net.SplitHostPort(hostport); err != nil {
		return "", "", errors.New("its host and port cannot be told apart")
	}
	if host == "" {
		return "", "", errors.New("it has no host")
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", "", errors.New("its port is not a number from 1 to 65535")
		}
		port = strconv.FormatUint(n, 10)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), port, nil
	}
	return strings.ToLower(host), port, nil
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}
