package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// cookieName is the cookie that the gateway looks for, too: one login does for both.
	cookieName   = "magpie_token"
	tokenLife    = 12 * time.Hour
	maxBodyBytes = 16 << 10
)

var userName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,24}$`)

// login is the secret with which the service signs who somebody is. It believes every name; yours asks for more than that.
type login string

// person is who has signed in.
type person struct {
	Name string `json:"name"`
}

// signedIn is a route for those who have signed in.
type signedIn func(w http.ResponseWriter, r *http.Request, user string)

// required lets through those who have signed in, with their names.
func (l login) required(next signedIn) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user := l.whose(r)
		if user == "" {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		next(w, r, user)
	}
}

func (l login) signIn(w http.ResponseWriter, r *http.Request) {
	var p person
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if !userName.MatchString(p.Name) {
		http.Error(w, "a name has 1 to 24 letters, digits, '_' and '-'", http.StatusBadRequest)
		return
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": p.Name,
		"exp": time.Now().Add(tokenLife).Unix(),
		// Changes come from the service alone, so nobody else has the right to publish.
		"magpie": map[string][]string{"subscribe": {changes}, "call": {"stock.*"}},
	}).SignedString([]byte(l))
	if err != nil {
		http.Error(w, "no token could be made", http.StatusInternalServerError)
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without TLS it could not be Secure
		Name: cookieName, Value: token, Path: "/", MaxAge: int(tokenLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	answer(w, p)
}

// show tells a browser who it is: nothing, when it has to sign in.
func (l login) show(w http.ResponseWriter, r *http.Request) {
	user := l.whose(r)
	if user == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, person{user})
}

// whose says who sent a request; empty: nobody who has signed in.
func (l login) whose(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	var claims jwt.RegisteredClaims
	key := func(*jwt.Token) (any, error) { return []byte(l), nil }
	_, err = jwt.ParseWithClaims(cookie.Value, &claims, key,
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired())
	if err != nil {
		return ""
	}
	return claims.Subject
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
