package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MinSecretBytes is the least an HMAC key for SHA-256 may have (RFC 7518, section 3.2).
	MinSecretBytes = 32
	// MaxIDBytes bounds the ids of users, devices and tokens. user.<id> is then always short enough for a channel.
	MaxIDBytes = 128
	// DefaultLeeway forgives clocks that differ a little.
	DefaultLeeway = 30 * time.Second
)

// latestExpiry is the last second of the year 9999: what lies beyond is no date but a mistake or an attack.
const latestExpiry = 253402300799

// JWTOptions tell which tokens are accepted. All but Secret may be left zero.
type JWTOptions struct {
	Secret             []byte           // of at least MinSecretBytes
	Issuer             string           // the iss that is required; empty: any
	Audience           string           // what aud must contain; empty: any
	AllowMissingExpiry bool             // accept tokens without exp
	Leeway             time.Duration    // for exp and nbf; 0: DefaultLeeway, negative: none
	DefaultRights      Rights           // of tokens that have no claim "magpie"
	Now                func() time.Time // nil: time.Now
}

// JWT accepts JSON Web Tokens signed with HS256 and no other algorithm.
type JWT struct {
	options JWTOptions
	parser  *jwt.Parser
	rights  *rightsCache
}

// claims are what a token says. Its rights replace the default ones altogether.
type claims struct {
	jwt.RegisteredClaims
	Device string  `json:"device,omitempty"`
	Magpie *Grants `json:"magpie,omitempty"`
}

// NewJWT makes an [Authenticator] for signed tokens.
func NewJWT(options JWTOptions) (*JWT, error) {
	if err := checkSecret(options.Secret); err != nil {
		return nil, err
	}
	switch {
	case options.Leeway == 0:
		options.Leeway = DefaultLeeway
	case options.Leeway < 0:
		options.Leeway = 0
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	parse := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithLeeway(options.Leeway),
		jwt.WithTimeFunc(options.Now),
		jwt.WithStrictDecoding(),
	}
	if !options.AllowMissingExpiry {
		parse = append(parse, jwt.WithExpirationRequired())
	}
	if options.Issuer != "" {
		parse = append(parse, jwt.WithIssuer(options.Issuer))
	}
	if options.Audience != "" {
		parse = append(parse, jwt.WithAudience(options.Audience))
	}
	return &JWT{options: options, parser: jwt.NewParser(parse...), rights: newRightsCache()}, nil
}

func checkSecret(secret []byte) error {
	if len(secret) < MinSecretBytes {
		return fmt.Errorf("the secret for HS256 has %d bytes: at least %d are needed", len(secret), MinSecretBytes)
	}
	return nil
}

// Authenticate checks the token's signature and claims.
func (j *JWT) Authenticate(_ context.Context, credential Credential) (*Principal, error) {
	if err := checkToken(credential); err != nil {
		return nil, err
	}
	var said claims
	token, err := j.parser.ParseWithClaims(credential.Token, &said, j.key)
	if err != nil {
		return nil, j.refusal(token, &said, err)
	}
	return j.principal(&said)
}

// errCritical tells of a header that asks for an extension; this gateway understands none (RFC 7515, section 4.1.11).
var errCritical = errors.New("the header crit is not supported")

func (j *JWT) key(token *jwt.Token) (any, error) {
	if _, ok := token.Header["crit"]; ok {
		return nil, errCritical
	}
	return j.options.Secret, nil
}

func (j *JWT) principal(said *claims) (*Principal, error) {
	if said.Subject == "" {
		return nil, unauthenticated("the token has no claim sub: it names the user and is required")
	}
	for _, id := range []struct{ claim, value string }{{"sub", said.Subject}, {"device", said.Device}, {"jti", said.ID}} {
		if err := CheckID(id.value); err != nil {
			return nil, unauthenticated("the token's claim %s %s", id.claim, err)
		}
	}
	p := &Principal{
		UserID: said.Subject,
		Method: MethodJWT,
		Rights: j.options.DefaultRights,
	}
	if said.Device != "" || said.ID != "" {
		p.Token = &Token{DeviceID: said.Device, ID: said.ID}
	}
	if said.ExpiresAt != nil {
		if s := said.ExpiresAt.Unix(); s < 0 || s > latestExpiry {
			return nil, unauthenticated("the token's claim exp is no date: expected seconds since 1970, before the year 10000")
		}
		p.Expires = said.ExpiresAt.Add(j.options.Leeway).UnixMilli() // or a line that was let in within the leeway would end at once
	}
	if said.Magpie != nil {
		rights, err := j.rights.of(*said.Magpie)
		if err != nil {
			return nil, unauthenticated("the token's claim magpie cannot be used: %s", err)
		}
		p.Rights = rights
	}
	return p, nil
}

// refusal words the library's error. What the token says may be repeated only after its signature proved right.
func (j *JWT) refusal(token *jwt.Token, said *claims, err error) error {
	const stamp = time.RFC3339
	now := j.options.Now().UTC()
	switch {
	case errors.Is(err, errCritical):
		return unauthenticated("the token's header has crit, and no such extension is supported: sign the token without it")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return unauthenticated("the token cannot be read: expected a JSON Web Token of three base64url parts whose claims have the right types")
	case token == nil || token.Method == nil || token.Method.Alg() != jwt.SigningMethodHS256.Alg():
		return unauthenticated("the token is not signed with HS256, the only algorithm accepted here")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return unauthenticated("the token's signature is wrong: sign it with the secret that the gateway has in auth.jwt.secret")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing) && said.ExpiresAt == nil && !j.options.AllowMissingExpiry:
		return unauthenticated("the token has no claim exp: it says when the token expires and is required")
	case errors.Is(err, jwt.ErrTokenExpired):
		return unauthenticated("the token expired at %s and it is %s now: fetch a new one", said.ExpiresAt.UTC().Format(stamp), now.Format(stamp))
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return unauthenticated("the token is not valid before %s and it is %s now: compare the clocks of issuer and gateway", said.NotBefore.UTC().Format(stamp), now.Format(stamp))
	case j.options.Issuer != "" && said.Issuer != j.options.Issuer:
		return unauthenticated("the token's iss is not the issuer that the gateway requires (auth.jwt.issuer)")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return unauthenticated("the token's aud does not contain the audience that the gateway requires (auth.jwt.audience)")
	}
	return unauthenticated("the token is not valid")
}

// CheckID reports what keeps id from naming a user, a device or a token; its words follow the id's name. Empty is fine
// here. Ids are printed in logs and consoles, so they hold nothing that moves a cursor or hides a letter.
func CheckID(id string) error {
	if len(id) > MaxIDBytes {
		return fmt.Errorf("has %d bytes: at most %d are allowed", len(id), MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return errors.New("is not valid UTF-8")
	}
	for i, r := range id {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("has the unprintable character %U at byte %d", r, i)
		}
	}
	return nil
}
