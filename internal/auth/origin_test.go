package auth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

func TestOrigin(t *testing.T) {
	const absent = "(absent)"
	list := []string{"https://app.example.com", "https://*.example.org", "http://[::1]:5173", "capacitor://localhost"}
	tests := map[string]struct {
		origin, host string
		tls          bool
		allowed      []string
		want         bool
	}{
		"absent":                            {origin: absent, host: "gateway:8080", want: true},
		"same, exact":                       {origin: "http://gateway:8080", host: "gateway:8080", want: true},
		"same, other case":                  {origin: "HTTP://GateWay:8080", host: "gATEway:8080", want: true},
		"same, default port left out":       {origin: "http://gateway", host: "gateway:80", want: true},
		"same, default port given":          {origin: "http://gateway:80", host: "gateway", want: true},
		"same, TLS":                         {origin: "https://gateway", host: "gateway:443", tls: true, want: true},
		"same, TLS ends at a proxy":         {origin: "https://gateway", host: "gateway", want: true},
		"same, port with a zero before":     {origin: "http://gateway:08080", host: "gateway:8080", want: true},
		"same, IPv6":                        {origin: "http://[0:0::1]:8080", host: "[::1]:8080", want: true},
		"other port":                        {origin: "http://gateway:8081", host: "gateway:8080"},
		"other port, default of the scheme": {origin: "https://gateway", host: "gateway:80"},
		"other host":                        {origin: "http://evil.com:8080", host: "gateway:8080"},
		"host with a suffix":                {origin: "http://app.com.evil", host: "app.com"},
		"host with a prefix":                {origin: "http://evil-app.com", host: "app.com"},
		"subdomain of the own host":         {origin: "http://x.app.com", host: "app.com"},
		"HTTP page on a TLS line":           {origin: "http://gateway", host: "gateway:80", tls: true},
		"other scheme":                      {origin: "ftp://gateway:8080", host: "gateway:8080"},
		"null":                              {origin: "null", host: "gateway"},
		"null, listed":                      {origin: "null", host: "gateway", allowed: []string{"null"}, want: true},
		"empty":                             {origin: "", host: "gateway"},
		"no scheme":                         {origin: "gateway", host: "gateway"},
		"no host":                           {origin: "http://", host: ""},
		"user before the host":              {origin: "http://gateway@evil.com", host: "gateway"},
		"path behind the host":              {origin: "http://gateway/", host: "gateway"},
		"backslash":                         {origin: `http://evil.com\gateway`, host: "gateway"},
		"port that is none":                 {origin: "http://gateway:http", host: "gateway"},
		"port 0":                            {origin: "http://gateway:0", host: "gateway:0"},
		"CRLF":                              {origin: "http://gateway\r\n", host: "gateway"},
		"two origins in one":                {origin: "http://gateway http://evil.com", host: "gateway"},
		"listed, exact":                     {origin: "https://app.example.com", host: "gateway", allowed: list, want: true},
		"listed, other case, default port":  {origin: "https://APP.example.com:443", host: "gateway", allowed: list, want: true},
		"listed, other port":                {origin: "https://app.example.com:8443", host: "gateway", allowed: list},
		"listed, other scheme":              {origin: "http://app.example.com", host: "gateway", allowed: list},
		"listed, other scheme, same port":   {origin: "https://[::1]:5173", host: "gateway", allowed: list},
		"listed, host with a suffix":        {origin: "https://app.example.com.evil", host: "gateway", allowed: list},
		"listed, dot at the end":            {origin: "https://app.example.com.", host: "gateway", allowed: list},
		"listed, subdomain of an exact one": {origin: "https://x.app.example.com", host: "gateway", allowed: list},
		"listed, IPv6":                      {origin: "http://[::1]:5173", host: "gateway", allowed: list, want: true},
		"listed, scheme of an app":          {origin: "capacitor://localhost", host: "gateway", allowed: list, want: true},
		"wildcard, subdomain":               {origin: "https://a.example.org", host: "gateway", allowed: list, want: true},
		"wildcard, the domain itself":       {origin: "https://example.org", host: "gateway", allowed: list},
		"wildcard, two labels":              {origin: "https://a.b.example.org", host: "gateway", allowed: list},
		"wildcard, no label boundary":       {origin: "https://evilexample.org", host: "gateway", allowed: list},
		"wildcard, empty label":             {origin: "https://.example.org", host: "gateway", allowed: list},
		"wildcard, host with a suffix":      {origin: "https://a.example.org.evil", host: "gateway", allowed: list},
		"wildcard, other port":              {origin: "https://a.example.org:444", host: "gateway", allowed: list},
		"wildcard, star itself":             {origin: "https://*.example.org", host: "gateway", allowed: list},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policy, err := auth.NewOriginPolicy(test.allowed, false)
			if err != nil {
				t.Fatal(err)
			}
			r := request(t, test.host)
			if test.origin != absent {
				r.Header.Set("Origin", test.origin)
			}
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			wantOrigin(t, policy.Check(r), test.want)
		})
	}
}

func TestOriginGivenTwice(t *testing.T) {
	r := request(t, "gateway")
	r.Header["Origin"] = []string{"http://gateway", "http://gateway"}
	wantRefusal(t, new(auth.OriginPolicy).Check(r), wire.CodePermissionDenied, "the request has several Origin headers")
}

func TestOriginSaysWhatToDo(t *testing.T) {
	r := request(t, "gateway:8080")
	r.Header.Set("Origin", "https://evil.com:443")
	wantRefusal(t, new(auth.OriginPolicy).Check(r), wire.CodePermissionDenied,
		`pages of the origin "https://evil.com" may not use this gateway: it is neither the gateway's own ("gateway:8080") nor listed in origins`)
}

func TestDevelopmentAnswersLoopbackNamesOnly(t *testing.T) {
	const absent = ""
	tests := map[string]struct {
		host, origin, site string
		want               bool
	}{
		"localhost":               {"localhost", absent, "", true},
		"localhost, other case":   {"LocalHost:9999", absent, "", true},
		"127.0.0.1":               {"127.0.0.1:8080", absent, "", true},
		"127.1.2.3":               {"127.1.2.3", absent, "", true},
		"[::1]":                   {"[::1]", absent, "", true},
		"[::1] with a port":       {"[::1]:8080", absent, "", true},
		"mapped":                  {"[::ffff:127.0.0.1]:8080", absent, "", true},
		"own page":                {"localhost:8080", "http://localhost:8080", "same-origin", true},
		"typed into the browser":  {"localhost:8080", absent, "none", true},
		"rebound name":            {"evil.com", absent, "", false},
		"rebound name, same page": {"evil.com:8080", "http://evil.com:8080", "same-origin", false},
		"localhost as a prefix":   {"localhost.evil.com", absent, "", false},
		"localhost as a suffix":   {"evil.localhost", absent, "", false},
		"address as a prefix":     {"127.0.0.1.evil.com", absent, "", false},
		"address written short":   {"127.1", absent, "", false},
		"any address":             {"0.0.0.0:8080", absent, "", false},
		"address of the network":  {"192.168.1.5:8080", absent, "", false},
		"no host":                 {"", absent, "", false},
		"host that is none":       {"[::1", absent, "", false},
		"page of another port":    {"localhost:8080", "http://localhost:5173", "same-site", false},
		"page of another site":    {"localhost:8080", "https://evil.com", "cross-site", false},
		"link of another site":    {"localhost:8080", absent, "cross-site", false},
		"address page, name host": {"localhost:8080", "http://127.0.0.1:8080", "cross-site", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			policy, err := auth.NewOriginPolicy(nil, true)
			if err != nil {
				t.Fatal(err)
			}
			r := request(t, test.host)
			if test.origin != absent {
				r.Header.Set("Origin", test.origin)
			}
			if test.site != "" {
				r.Header.Set("Sec-Fetch-Site", test.site)
			}
			wantOrigin(t, policy.Check(r), test.want)
		})
	}
}

func TestNewOriginPolicyRefuses(t *testing.T) {
	for _, text := range []string{
		"", "*", "app.example.com", "https://", "https://*", "https://*.com", "https://*.127.0.0.1", "https://a.*.com", "https://*a.com",
		"https://*.*.example.com", "https://app.example.com/", "https://app.example.com/x", "https://u@h", "https://h?x", "https://h:99999", "https://h:x", "https://a b",
	} {
		if _, err := auth.NewOriginPolicy([]string{text}, false); err == nil {
			t.Errorf("%q was taken", text)
		}
		if auth.CheckOriginPattern(text) == nil {
			t.Errorf("%q passed the check", text)
		}
	}
	if err := auth.CheckOriginPattern(auth.NullOrigin); err != nil {
		t.Error(err)
	}
}

func request(t *testing.T, host string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws", http.NoBody)
	r.Host = host
	r.RemoteAddr = "127.0.0.1:1234"
	return r
}

func TestDevelopmentServesThisMachineOnly(t *testing.T) {
	p, err := auth.NewOriginPolicy(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for address, allowed := range map[string]bool{
		"127.0.0.1:1":          true,
		"127.9.9.9:1":          true,
		"[::1]:1":              true,
		"[::ffff:127.0.0.1]:1": true,
		"192.0.2.1:1":          false,
		"[2001:db8::1]:1":      false,
		"@":                    true, // a Unix socket
	} {
		r := request(t, "localhost:8080")
		r.RemoteAddr = address
		wantOrigin(t, p.Check(r), allowed)
	}
}

func wantOrigin(t *testing.T, err error, allowed bool) {
	t.Helper()
	if (err == nil) != allowed {
		t.Errorf("got %v, want allowed: %v", err, allowed)
	}
	if err != nil && wire.AsError(err).Code != wire.CodePermissionDenied {
		t.Errorf("got %v, want permission_denied", err)
	}
}
