package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// cookieName is the cookie that the gateway looks for, too.
	cookieName    = "magpie_token"
	tokenLife     = 12 * time.Hour
	maxLoginBytes = 4 << 10
	maxNames      = 10_000 // that are taken at once
)

// names has no room for marks that stack, and none for spaces that cannot be told apart.
var names = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}_-]{0,23}$`)

var (
	errName  = errors.New("a name has 1 to 24 letters, digits, '_' and '-'")
	errTaken = errors.New("this name is taken: choose another")
	errFull  = errors.New("all places are taken: come back later")
)

// login gives each name to one browser. What proves it is a token: the gateway knows the secret too, and stamps the name on
// all that comes from the browser. The token is in a cookie that no script can read.
type login struct {
	secret []byte

	mu    sync.Mutex           // guards the field below
	taken map[string]time.Time // until when, by the name in lower case
}

func newLogin(secret string) *login {
	return &login{secret: []byte(secret), taken: make(map[string]time.Time)}
}

// person is who has signed in.
type person struct {
	Name string `json:"name"`
}

func (l *login) signIn(w http.ResponseWriter, r *http.Request) {
	var p person
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxLoginBytes)).Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.Name = strings.TrimSpace(p.Name)
	if !names.MatchString(p.Name) {
		http.Error(w, errName.Error(), http.StatusBadRequest)
		return
	}
	until := time.Now().Add(tokenLife)
	if err := l.take(p.Name, l.whose(r), until); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	token, err := l.mint(p.Name, until)
	if err != nil {
		http.Error(w, "no token could be made", http.StatusInternalServerError)
		return
	}
	setCookie(w, r, token, tokenLife)
	answer(w, p)
}

// show tells a browser who it is: nothing, when it has to sign in.
func (l *login) show(w http.ResponseWriter, r *http.Request) {
	name := l.whose(r)
	if name == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	answer(w, person{name})
}

func (l *login) signOut(w http.ResponseWriter, r *http.Request) {
	if name := l.whose(r); name != "" {
		l.mu.Lock()
		delete(l.taken, strings.ToLower(name))
		l.mu.Unlock()
	}
	setCookie(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

// take gives a name to whoever is called before so far, or to nobody.
func (l *login) take(name, before string, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	key, old := strings.ToLower(name), strings.ToLower(before)
	if key != old && now.Before(l.taken[key]) {
		return errTaken
	}
	delete(l.taken, old)
	if len(l.taken) >= maxNames {
		for other, end := range l.taken {
			if now.After(end) {
				delete(l.taken, other)
			}
		}
	}
	if len(l.taken) >= maxNames {
		return errFull
	}
	l.taken[key] = until
	return nil
}

// mint signs a token: who it is, until when, and what the gateway lets it do.
func (l *login) mint(name string, until time.Time) (string, error) {
	rooms := []string{"room.*"}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub":    name,
		"exp":    until.Unix(),
		"magpie": map[string][]string{"publish": rooms, "subscribe": rooms},
	}).SignedString(l.secret)
}

// whose says who sent a request; empty: nobody who has signed in.
func (l *login) whose(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	var claims jwt.RegisteredClaims
	key := func(*jwt.Token) (any, error) { return l.secret, nil }
	_, err = jwt.ParseWithClaims(cookie.Value, &claims, key,
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired())
	if err != nil {
		return ""
	}
	return claims.Subject
}

func setCookie(w http.ResponseWriter, r *http.Request, token string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without TLS it could not be Secure
		Name: cookieName, Value: token, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
