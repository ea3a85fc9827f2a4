package auth

import (
	"net/http"
	"net/url"
	"strings"
)

// Where a token travels in a request.
const (
	CookieName        = "magpie_token"
	QueryParameter    = "token"
	SubprotocolPrefix = "bearer."

	bearerScheme        = "bearer"
	frameSubprotocols   = "magpie.v1." // begins the subprotocols that name an encoding of frames
	redacted            = "REDACTED"
	headerSubprotocol   = "Sec-Websocket-Protocol"
	headerAuthorization = "Authorization"
)

// FromRequest finds the credential that the request carries. Without one it returns false. The same token given twice
// is one credential; two different ones are an unauthenticated error, since guessing which was meant would be worse.
func FromRequest(r *http.Request) (Credential, bool, error) {
	var found Credential
	for _, find := range []func(*http.Request, *Credential) error{fromHeader, fromSubprotocol, fromCookie, fromQuery} {
		if err := find(r, &found); err != nil {
			return Credential{}, false, err
		}
	}
	return found, found.Token != "", nil
}

// take notes a token, unless another one was found before.
func (c *Credential) take(token string, source Source) error {
	switch {
	case token == "":
		return unauthenticated("%s has an empty token: leave it out or give a token", source)
	case c.Token == "":
		*c = Credential{Token: token, Source: source}
	case c.Token != token:
		return unauthenticated("two different tokens were given, in %s and in %s: send one", c.Source, source)
	}
	return nil
}

func fromHeader(r *http.Request, found *Credential) error {
	for _, value := range r.Header.Values(headerAuthorization) {
		scheme, token, _ := strings.Cut(strings.TrimSpace(value), " ")
		if !strings.EqualFold(scheme, bearerScheme) {
			continue // Basic, for one, belongs to a proxy before the gateway
		}
		if err := found.take(strings.TrimSpace(token), SourceHeader); err != nil {
			return err
		}
	}
	return nil
}

func fromSubprotocol(r *http.Request, found *Credential) error {
	token, given, encoding := "", false, false
	for _, value := range r.Header.Values(headerSubprotocol) {
		for offer := range strings.SplitSeq(value, ",") {
			offer = strings.TrimSpace(offer)
			if strings.HasPrefix(offer, frameSubprotocols) {
				encoding = true
			}
			bearer, ok := strings.CutPrefix(offer, SubprotocolPrefix)
			if !ok {
				continue
			}
			if given && bearer != token {
				return unauthenticated("two different tokens were given as subprotocols: send one")
			}
			token, given = bearer, true
		}
	}
	switch {
	case !given:
		return nil
	case !encoding:
		return unauthenticated("the subprotocol bearer.<token> was offered alone: offer magpie.v1.json beside it, which is the one answered")
	}
	return found.take(token, SourceSubprotocol)
}

func fromCookie(r *http.Request, found *Credential) error {
	for _, cookie := range r.CookiesNamed(CookieName) {
		if cookie.Value == "" {
			continue // what is left of a cookie after signing out
		}
		if err := found.take(cookie.Value, SourceCookie); err != nil {
			return err
		}
	}
	return nil
}

func fromQuery(r *http.Request, found *Credential) error {
	if r.URL == nil || r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return unauthenticated("the query of the URL cannot be read: escape it as application/x-www-form-urlencoded")
	}
	for _, token := range query[QueryParameter] {
		if err := found.take(token, SourceQuery); err != nil {
			return err
		}
	}
	return nil
}

// RedactURL returns raw with every token and password replaced, fit for a log. It works on text, so that a URL nobody
// could parse is redacted as well.
func RedactURL(raw string) string {
	end := strings.IndexAny(raw, "?#")
	if end < 0 {
		end = len(raw)
	}
	var b strings.Builder
	b.WriteString(redactUserinfo(raw[:end]))
	for rest := raw[end:]; rest != ""; {
		b.WriteByte(rest[0]) // one of ?#&;
		rest = rest[1:]
		end := strings.IndexAny(rest, "?#&;")
		if end < 0 {
			end = len(rest)
		}
		b.WriteString(redactParameter(rest[:end]))
		rest = rest[end:]
	}
	return b.String()
}

func redactUserinfo(base string) string {
	scheme, rest, ok := strings.Cut(base, "//")
	if !ok {
		return base
	}
	authority, path, slash := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return base
	}
	authority = redacted + authority[at:]
	if slash {
		path = "/" + path
	}
	return scheme + "//" + authority + path
}

func redactParameter(pair string) string {
	name, _, ok := strings.Cut(pair, "=")
	if !ok {
		return pair
	}
	plain, err := url.QueryUnescape(name)
	if err == nil && !strings.Contains(strings.ToLower(plain), QueryParameter) {
		return pair
	}
	return name + "=" + redacted
}
