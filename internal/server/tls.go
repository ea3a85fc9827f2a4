package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/config"
)

// lookAgain is how long the files of a certificate are taken to be what they were.
const lookAgain = time.Minute

// certificates hands out the certificate of the listener, and reads it anew when its files have changed. It is safe for
// concurrent use.
type certificates struct {
	files config.TLS
	log   *slog.Logger

	mu      sync.Mutex // guards the fields below
	current *tls.Certificate
	looked  time.Time
	seen    [2]fileState // when current was read, or could not be
}

// fileState tells a file that was written again from the one before.
type fileState struct {
	changed time.Time
	size    int64
}

func newCertificates(files config.TLS, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log, looked: time.Now()}
	c.seen = c.look()
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	c.current = &pair
	return c, err
}

// config is the listener's: Go's own choices, from TLS 1.2 on.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		GetCertificate: c.get,
		MinVersion:     tls.VersionTLS12,
		// What is written here are whole messages, which nobody can use before their last byte.
		DynamicRecordSizingDisabled: true,
	}
}

// get is for [tls.Config].
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		c.refresh()
	}
	return c.current, nil
}

func (c *certificates) refresh() {
	state := c.look()
	if state == c.seen {
		return
	}
	c.seen = state // a pair that cannot be used is complained of once
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		c.log.Error("the new certificate cannot be used, and the one before stays", "cert", c.files.Cert, "key", c.files.Key, "error", err)
		return
	}
	c.current = &pair
	c.log.Info("the certificate was renewed", "cert", c.files.Cert, "notAfter", pair.Leaf.NotAfter)
}

// look is the state of both files; that of one that is not there is zero.
func (c *certificates) look() (state [2]fileState) {
	for i, name := range []string{c.files.Cert, c.files.Key} {
		if info, err := os.Stat(name); err == nil {
			state[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return state
}
