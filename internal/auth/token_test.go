package auth_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/wire"
)

const (
	headerHS256 = `{"alg":"HS256","typ":"JWT"}`
	unreadable  = "the token cannot be read: expected a JSON Web Token of three base64url parts whose claims have the right types"
	wrongAlg    = "the token is not signed with HS256, the only algorithm accepted here"
	wrongSign   = "the token's signature is wrong: sign it with the secret that the gateway has in auth.jwt.secret"
	noExpiry    = "the token has no claim exp: it says when the token expires and is required"
	notDate     = "the token's claim exp is no date: expected seconds since 1970, before the year 10000"
	wrongIssuer = "the token's iss is not the issuer that the gateway requires (auth.jwt.issuer)"
	wrongAud    = "the token's aud does not contain the audience that the gateway requires (auth.jwt.audience)"
	noUser      = "the token has no claim sub: it names the user and is required"
)

// compact signs any header and any claims, right or wrong.
func compact(header, claims string, secret []byte) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func newJWT(t testing.TB, options auth.JWTOptions) *auth.JWT {
	t.Helper()
	options.Secret, options.Now = testSecret(), noon
	options.DefaultRights = rights(t, auth.DefaultGrants())
	j, err := auth.NewJWT(options)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func credential(token string) auth.Credential {
	return auth.Credential{Token: token, Source: auth.SourceFrame}
}

func TestJWTSaysWhoItIs(t *testing.T) {
	token, err := auth.Mint(testSecret(), auth.TokenClaims{
		UserID: "alice", DeviceID: "phone", TokenID: "t1", Issuer: "me", Audience: "magpie",
		IssuedAt: noon(), NotBefore: noon(), ExpiresAt: noon().Add(time.Hour),
		Rights: &auth.Grants{Publish: []string{"order.*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := newJWT(t, auth.JWTOptions{Issuer: "me", Audience: "magpie"}).Authenticate(t.Context(), credential(token))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Principal{
		UserID: "alice", Token: &auth.Token{DeviceID: "phone", ID: "t1"}, Method: auth.MethodJWT, Expires: got.Expires,
		Rights: got.Rights,
	}
	if err := errors.Join(got.May(auth.Publish, "order.new"), got.May(auth.Subscribe, "user.alice")); err != nil || got.Has(auth.Publish, "order") {
		t.Errorf("the rights are not those of the token: %v", err)
	}
	if got.Expires != noon().Add(time.Hour+auth.DefaultLeeway).UnixMilli() || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if got.May(auth.Call, "magpie.time") == nil {
		t.Error("the token's rights were added to the default ones; they replace them")
	}
}

func TestJWTWithoutRightsHasTheDefaultOnes(t *testing.T) {
	for _, claims := range []string{`{"sub":"a","exp":1795176000}`, `{"sub":"a","exp":1795176000,"magpie":null}`} {
		p, err := newJWT(t, auth.JWTOptions{}).Authenticate(t.Context(), credential(compact(headerHS256, claims, testSecret())))
		if err != nil {
			t.Fatal(err)
		}
		if p.May(auth.Call, "magpie.time") != nil || p.May(auth.Publish, "chat.lobby") == nil {
			t.Errorf("%s: not the default rights", claims)
		}
	}
}

func TestJWTRefuses(t *testing.T) {
	at := func(d time.Duration) string { return fmt.Sprint(noon().Add(d).Unix()) }
	good := `"sub":"alice","exp":` + at(time.Hour)
	signed := func(claims string) string { return compact(headerHS256, "{"+claims+"}", testSecret()) }
	strict := auth.JWTOptions{Issuer: "me", Audience: "magpie"}
	tests := map[string]struct {
		options auth.JWTOptions
		token   string
		want    string
	}{
		"none":                      {token: compact(`{"alg":"none"}`, "{"+good+"}", nil), want: wrongAlg},
		"none, no signature":        {token: strings.TrimRight(compact(`{"alg":"none"}`, "{"+good+"}", nil), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), want: wrongAlg},
		"None":                      {token: compact(`{"alg":"None"}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"HS512":                     {token: compact(`{"alg":"HS512"}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"RS256":                     {token: compact(`{"alg":"RS256"}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"unknown algorithm":         {token: compact(`{"alg":"canary"}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"no algorithm":              {token: compact(`{}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"algorithm is a number":     {token: compact(`{"alg":5}`, "{"+good+"}", testSecret()), want: wrongAlg},
		"HS512 with the secret":     {token: signedWith(t, jwt.SigningMethodHS512), want: wrongAlg},
		"another secret":            {token: compact(headerHS256, "{"+good+"}", []byte("another-secret-of-32-bytes-or-more")), want: wrongSign},
		"no signature":              {token: signed(good)[:strings.LastIndexByte(signed(good), '.')+1], want: wrongSign},
		"claims exchanged":          {token: exchangeClaims(signed(good), `{"sub":"root","exp":`+at(time.Hour)+`}`), want: wrongSign},
		"crit":                      {token: compact(`{"alg":"HS256","crit":["exp"]}`, "{"+good+"}", testSecret()), want: "the token's header has crit, and no such extension is supported: sign the token without it"},
		"unknown crit, empty":       {token: compact(`{"alg":"HS256","crit":null}`, "{"+good+"}", testSecret()), want: "the token's header has crit, and no such extension is supported: sign the token without it"},
		"expired":                   {token: signed(`"sub":"a","exp":` + at(-31*time.Second)), want: "the token expired at 2026-11-20T11:59:29Z and it is 2026-11-20T12:00:00Z now: fetch a new one"},
		"expired, no leeway":        {options: auth.JWTOptions{Leeway: -1}, token: signed(`"sub":"a","exp":` + at(-time.Second)), want: "the token expired at 2026-11-20T11:59:59Z and it is 2026-11-20T12:00:00Z now: fetch a new one"},
		"not yet valid":             {token: signed(good + `,"nbf":` + at(time.Minute)), want: "the token is not valid before 2026-11-20T12:01:00Z and it is 2026-11-20T12:00:00Z now: compare the clocks of issuer and gateway"},
		"no exp":                    {token: signed(`"sub":"a"`), want: noExpiry},
		"exp is null":               {token: signed(`"sub":"a","exp":null`), want: noExpiry},
		"exp is text":               {token: signed(`"sub":"a","exp":"tomorrow"`), want: unreadable},
		"exp in milliseconds":       {token: signed(`"sub":"a","exp":1795176000000`), want: notDate},
		"exp before 1970":           {options: auth.JWTOptions{Leeway: 100 * 365 * 24 * time.Hour}, token: signed(`"sub":"a","exp":-1`), want: notDate},
		"issuer missing":            {options: strict, token: signed(good + `,"aud":"magpie"`), want: wrongIssuer},
		"issuer wrong":              {options: strict, token: signed(good + `,"aud":"magpie","iss":"canary"`), want: wrongIssuer},
		"audience missing":          {options: strict, token: signed(good + `,"iss":"me"`), want: wrongAud},
		"audience wrong":            {options: strict, token: signed(good + `,"iss":"me","aud":["canary","magpie2"]`), want: wrongAud},
		"no user":                   {token: signed(`"exp":` + at(time.Hour)), want: noUser},
		"empty user":                {token: signed(`"sub":"","exp":` + at(time.Hour)), want: noUser},
		"user is a number":          {token: signed(`"sub":5,"exp":` + at(time.Hour)), want: unreadable},
		"long user":                 {token: signed(`"sub":"` + strings.Repeat("a", 129) + `","exp":` + at(time.Hour)), want: "the token's claim sub has 129 bytes: at most 128 are allowed"},
		"user with CRLF":            {token: signed(`"sub":"a\r\nb","exp":` + at(time.Hour)), want: "the token's claim sub has the unprintable character U+000D at byte 1"},
		"user with ANSI":            {token: signed(`"sub":"\u001b[2J","exp":` + at(time.Hour)), want: "the token's claim sub has the unprintable character U+001B at byte 0"},
		"user written backwards":    {token: signed(`"sub":"a\u202e","exp":` + at(time.Hour)), want: "the token's claim sub has the unprintable character U+202E at byte 1"},
		"device with NUL":           {token: signed(good + `,"device":"\u0000"`), want: "the token's claim device has the unprintable character U+0000 at byte 0"},
		"long id":                   {token: signed(good + `,"jti":"` + strings.Repeat("a", 129) + `"`), want: "the token's claim jti has 129 bytes: at most 128 are allowed"},
		"rights of the wrong type":  {token: signed(good + `,"magpie":{"publish":"a"}`), want: unreadable},
		"pattern that is none":      {token: signed(good + `,"magpie":{"publish":["a..b"]}`), want: `the token's claim magpie cannot be used: publish[0]: pattern "a..b": word 2 is "": expected letters, digits, '_' and '-', or '*' for one word, or a last '>' for the rest`},
		"empty":                     {token: "", want: "no token was given: send one in the header Authorization: Bearer, in the connect frame, as the subprotocol bearer.<token>, in the cookie magpie_token or as ?token="},
		"two parts":                 {token: "canary.canary", want: unreadable},
		"four parts":                {token: signed(good) + ".canary", want: unreadable},
		"no base64":                 {token: "can ary.b.c", want: unreadable},
		"last bits changed":         {token: nextLetter(signed(good)), want: unreadable},
		"padded":                    {token: signed(good) + "=", want: unreadable},
		"header is no object":       {token: compact(`[]`, "{"+good+"}", testSecret()), want: unreadable},
		"100 KB":                    {token: strings.Repeat("canary", 100<<10/6), want: "token from the connect frame has 102396 bytes: at most 8192 are allowed"},
		"one byte over the limit":   {token: strings.Repeat("a", auth.MaxTokenBytes+1), want: "token from the connect frame has 8193 bytes: at most 8192 are allowed"},
		"claims nested 2,000 times": {token: signed(good + `,"x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 1999)), want: unreadable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := newJWT(t, test.options).Authenticate(t.Context(), credential(test.token))
			if p != nil {
				t.Fatalf("accepted as %+v", p)
			}
			wantRefusal(t, err, wire.CodeUnauthenticated, test.want)
		})
	}
}

// exchangeClaims keeps a token's header and signature.
func exchangeClaims(token, claims string) string {
	parts := strings.Split(token, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(claims))
	return strings.Join(parts, ".")
}

// signedWith makes a token that is good but for its algorithm.
func signedWith(t *testing.T, method jwt.SigningMethod) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, jwt.MapClaims{"sub": "alice", "exp": noon().Add(time.Hour).Unix()}).SignedString(testSecret())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// nextLetter changes the two bits at the end of a token that decode to nothing: a lenient reader takes it for the same.
func nextLetter(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(token) - 1
	return token[:last] + string(alphabet[strings.IndexByte(alphabet, token[last])+1])
}

func TestJWTRefusesHS256SignedWithAPublicKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	claims := fmt.Sprintf(`{"sub":"alice","exp":%d}`, noon().Add(time.Hour).Unix())
	_, err = newJWT(t, auth.JWTOptions{}).Authenticate(t.Context(), credential(compact(headerHS256, claims, public)))
	wantRefusal(t, err, wire.CodeUnauthenticated, wrongSign)

	text := strings.Join(strings.Split(compact(`{"alg":"RS256"}`, claims, nil), ".")[:2], ".")
	hash := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = newJWT(t, auth.JWTOptions{}).Authenticate(t.Context(), credential(text+"."+base64.RawURLEncoding.EncodeToString(signature)))
	wantRefusal(t, err, wire.CodeUnauthenticated, wrongAlg)
}

func TestJWTAccepts(t *testing.T) {
	at := func(d time.Duration) string { return fmt.Sprint(noon().Add(d).Unix()) }
	tests := map[string]struct {
		options auth.JWTOptions
		claims  string
	}{
		"expired within the leeway":   {claims: `"exp":` + at(-29*time.Second)},
		"valid within the leeway":     {claims: `"exp":` + at(time.Hour) + `,"nbf":` + at(29*time.Second)},
		"no expiry, where that is so": {options: auth.JWTOptions{AllowMissingExpiry: true}},
		"one of several audiences":    {options: auth.JWTOptions{Audience: "magpie"}, claims: `"exp":` + at(time.Hour) + `,"aud":["x","magpie"]`},
		"any issuer":                  {claims: `"exp":` + at(time.Hour) + `,"iss":"x","aud":"y"`},
		"the last second of 9999":     {claims: `"exp":253402300799`},
		"unknown claims":              {claims: `"exp":` + at(time.Hour) + `,"magpie":{"fly":["x"]},"x":{}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			claims := strings.TrimSuffix(`{"sub":"Ünï code|5",`+test.claims, ",") + "}"
			p, err := newJWT(t, test.options).Authenticate(t.Context(), credential(compact(headerHS256, claims, testSecret())))
			if err != nil {
				t.Fatal(err)
			}
			if p.UserID != "Ünï code|5" {
				t.Errorf("got user %q", p.UserID)
			}
			if (p.Expires == 0) != !strings.Contains(claims, `"exp"`) {
				t.Errorf("expires at %d", p.Expires)
			}
			if p.Expires != 0 && p.Expires <= noon().UnixMilli() {
				t.Errorf("accepted, and expired since %d", p.Expires)
			}
		})
	}
}

func TestSecretsThatAreTooShort(t *testing.T) {
	const want = "the secret for HS256 has 31 bytes: at least 32 are needed"
	if _, err := auth.NewJWT(auth.JWTOptions{Secret: make([]byte, 31)}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := auth.Mint(make([]byte, 31), auth.TokenClaims{UserID: "a"}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestMintRefusesWhatNoGatewayAccepts(t *testing.T) {
	many := make([]string, auth.MaxPatterns)
	for i := range many {
		many[i] = fmt.Sprintf("a-rather-long-name-of-a-channel.%d", i)
	}
	for want, claims := range map[string]auth.TokenClaims{
		"a token needs a user id": {},
		"the id of the device has the unprintable character U+000A at byte 0":                     {UserID: "a", DeviceID: "\n"},
		"publish[0]: pattern \">.a\": '>' stands for the rest, so nothing can follow it":          {UserID: "a", Rights: &auth.Grants{Publish: []string{">.a"}}},
		"the token has 12951 bytes: at most 8192 are accepted; shorten the rights with wildcards": {UserID: "a", Rights: &auth.Grants{Publish: many}},
	} {
		if _, err := auth.Mint(testSecret(), claims); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	key, other := auth.NewAPIKey(), auth.NewAPIKey()
	if !strings.HasPrefix(key, auth.APIKeyPrefix) || len(key) < 24 || key == other {
		t.Fatalf("keys %q and %q", key, other)
	}
	keys, err := auth.NewAPIKeys([]auth.APIKey{
		{Name: "pricing", Hash: auth.HashKey(key), Rights: rights(t, auth.Grants{Publish: []string{"price.>"}})},
		{Name: "shop", Hash: auth.HashKey(other), UserID: "shop-user"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]auth.Principal{
		key:   {UserID: "pricing", Token: &auth.Token{ID: "pricing"}, Method: auth.MethodAPIKey},
		other: {UserID: "shop-user", Token: &auth.Token{ID: "shop"}, Method: auth.MethodAPIKey},
	} {
		got, err := keys.Authenticate(t.Context(), credential(token))
		if err != nil {
			t.Fatal(err)
		}
		if got.Has(auth.Publish, "price.eu") != (token == key) {
			t.Errorf("the rights of %s are those of another key", want.UserID)
		}
		if want.Rights = got.Rights; !reflect.DeepEqual(*got, want) {
			t.Errorf("got %+v, want %+v", *got, want)
		}
	}
	for _, token := range []string{"mgp_canary", key + "x", key[:len(key)-1], strings.ToLower(key)} {
		_, err := keys.Authenticate(t.Context(), credential(token))
		wantRefusal(t, err, wire.CodeUnauthenticated, "the API key is not known here: compare it with auth.api_keys, or make a new one")
	}
}

func TestNewAPIKeysRefuses(t *testing.T) {
	hash := auth.HashKey("mgp_1")
	for want, keys := range map[string][]auth.APIKey{
		"an API key needs a name":                   {{Hash: hash}},
		`two API keys are called "a"`:               {{Name: "a", Hash: hash}, {Name: "a"}},
		`the API keys "a" and "b" are the same key`: {{Name: "a", Hash: hash}, {Name: "b", Hash: hash}},
		"the name or user of API key \"a\" has the unprintable character U+000A at byte 0": {{Name: "a", UserID: "\n"}},
	} {
		if _, err := auth.NewAPIKeys(keys); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestChainPicksByTheLook(t *testing.T) {
	key := auth.NewAPIKey()
	keys, err := auth.NewAPIKeys([]auth.APIKey{{Name: "k", Hash: auth.HashKey(key)}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := auth.Mint(testSecret(), auth.TokenClaims{UserID: "alice", ExpiresAt: noon().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	full := auth.Chain{Keys: keys, JWT: newJWT(t, auth.JWTOptions{}), Anonymous: auth.Development()}
	for text, method := range map[string]auth.Method{key: auth.MethodAPIKey, token: auth.MethodJWT, "": auth.MethodDevelopment} {
		p, err := full.Authenticate(t.Context(), auth.Credential{Token: text})
		if err != nil || p.Method != method {
			t.Errorf("got %+v, %v, want method %d", p, err, method)
		}
	}
	var empty auth.Chain
	for text, want := range map[string]string{
		"mgp_canary":              "the token is an API key, but none is configured here (auth.api_keys)",
		"canary.b.c":              "the token is a JSON Web Token, but no secret to check it with is configured here (auth.jwt.secret)",
		"canary":                  "the token is neither a JSON Web Token (three parts with dots between them) nor an API key (mgp_...)",
		"":                        "no token was given: send one in the header Authorization: Bearer, in the connect frame, as the subprotocol bearer.<token>, in the cookie magpie_token or as ?token=",
		strings.Repeat("a", 9000): "token from the connect frame has 9000 bytes: at most 8192 are allowed",
	} {
		_, err := empty.Authenticate(t.Context(), credential(text))
		wantRefusal(t, err, wire.CodeUnauthenticated, want)
	}
}

func TestDevelopment(t *testing.T) {
	for _, token := range []string{"", "anything"} {
		p, err := auth.Development().Authenticate(t.Context(), credential(token))
		if err != nil {
			t.Fatal(err)
		}
		if p.UserID != "dev" || p.Method != auth.MethodDevelopment || p.Expires != 0 {
			t.Errorf("got %+v", p)
		}
		for name, action := range map[wire.ChannelName]auth.Action{"a.b": auth.Publish, "sys.stats": auth.Subscribe, ">": auth.Subscribe, "sys.x": auth.Call} {
			if err := p.May(action, name); err != nil {
				t.Error(err)
			}
		}
		if p.May(auth.Publish, "sys.x") == nil {
			t.Error("a client may publish to the gateway's own channel")
		}
	}
}

// FuzzToken shows that no text is taken for a token unless its signature is right, and that what is right is bounded.
func FuzzToken(f *testing.F) {
	f.Add(compact(headerHS256, `{"sub":"a","exp":1795176000}`, testSecret()), "")
	f.Add(compact(`{"alg":"none"}`, `{"sub":"a","exp":1795176000}`, nil), "")
	for _, claims := range []string{
		`{"sub":"a","exp":1795176000}`, `{"sub":"a","exp":1e300}`, `{"sub":"a","exp":-1e300,"nbf":1e400}`, `{"sub":"a","aud":[5]}`,
		`{"sub":"a","exp":1795176000,"magpie":{"publish":["*",">"],"call":null}}`, `{"sub":"\ud800","exp":9e9}`, `[]`, `null`, `{"sub":"a","sub":"b","exp":9e9}`,
	} {
		f.Add("mgp_x", claims)
	}
	f.Fuzz(func(t *testing.T, token, claims string) {
		j := newJWT(t, auth.JWTOptions{})
		chain := auth.Chain{JWT: j}
		if p, err := chain.Authenticate(t.Context(), credential(token)); err == nil && !strings.HasSuffix(token, signatureOf(token)) {
			t.Fatalf("%q was accepted as %+v", token, p)
		}
		p, err := j.Authenticate(t.Context(), credential(compact(headerHS256, claims, testSecret())))
		if err != nil {
			if e := wire.AsError(err); e.Code != wire.CodeUnauthenticated || e.Message == "" || len(e.Message) > 1000 {
				t.Fatalf("an error of no use: %v", err)
			}
			return
		}
		if p.UserID == "" || len(p.UserID) > auth.MaxIDBytes || p.Expires < noon().UnixMilli() || time.UnixMilli(p.Expires).Add(-auth.DefaultLeeway).UTC().Year() > 9999 {
			t.Fatalf("accepted: %+v", p)
		}
	})
}

// signatureOf is the right signature of a token's first two parts.
func signatureOf(token string) string {
	mac := hmac.New(sha256.New, testSecret())
	mac.Write([]byte(token[:max(0, strings.LastIndexByte(token, '.'))]))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
