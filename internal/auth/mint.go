package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TokenClaims are what [Mint] writes into a token. Only UserID is required; zero fields are left out.
type TokenClaims struct {
	UserID    string
	DeviceID  string
	TokenID   string
	Issuer    string
	Audience  string
	IssuedAt  time.Time
	NotBefore time.Time
	ExpiresAt time.Time
	Rights    *Grants // nil: the gateway's default rights
}

// Mint signs a token with HS256: for development, for tests and for `magpie token`.
func Mint(secret []byte, c TokenClaims) (string, error) {
	if err := checkSecret(secret); err != nil {
		return "", err
	}
	if c.UserID == "" {
		return "", errors.New("a token needs a user id")
	}
	for _, id := range []struct{ name, value string }{{"user", c.UserID}, {"device", c.DeviceID}, {"token", c.TokenID}} {
		if err := CheckID(id.value); err != nil {
			return "", fmt.Errorf("the id of the %s %w", id.name, err)
		}
	}
	if c.Rights != nil {
		if _, err := NewRights(*c.Rights); err != nil {
			return "", err
		}
	}
	said := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   c.UserID,
			ID:        c.TokenID,
			Issuer:    c.Issuer,
			IssuedAt:  numericDate(c.IssuedAt),
			NotBefore: numericDate(c.NotBefore),
			ExpiresAt: numericDate(c.ExpiresAt),
		},
		Device: c.DeviceID,
		Magpie: c.Rights,
	}
	if c.Audience != "" {
		said.Audience = jwt.ClaimStrings{c.Audience}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, said).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	if len(token) > MaxTokenBytes {
		return "", fmt.Errorf("the token has %d bytes: at most %d are accepted; shorten the rights with wildcards", len(token), MaxTokenBytes)
	}
	return token, nil
}

func numericDate(t time.Time) *jwt.NumericDate {
	if t.IsZero() {
		return nil
	}
	return jwt.NewNumericDate(t)
}
