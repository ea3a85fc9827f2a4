package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/selfsigned"
)

// secureText is a configuration with a certificate, and what a client needs to know of it.
func secureText(t *testing.T) (text string, client *http.Client) {
	t.Helper()
	certFile, keyFile, err := selfsigned.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(cert) {
		t.Fatal("the certificate is not one")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return development + fmt.Sprintf("tls: {cert: %s, key: %s}\n", certFile, keyFile), &http.Client{Transport: transport}
}

func TestEverythingOverTLS(t *testing.T) {
	for _, driver := range []string{"auto", "goroutine"} {
		t.Run(driver, func(t *testing.T) { everythingOverTLS(t, driver) })
	}
}

func everythingOverTLS(t *testing.T, driver string) {
	text, secure := secureText(t)
	r := start(t, text+"driver: "+driver)
	url := "https://" + r.Addr().String()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/ws", &websocket.DialOptions{HTTPClient: secure})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	c := &client{t, conn}
	c.subscribe("order.update")

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+publishPath, strings.NewReader(`{"channel":"order.update","data":{"a": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := secure.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.TLS == nil {
		t.Errorf("%s over %s: %s, %v", resp.Status, resp.Proto, body, err)
	}
	if m := c.until("message"); string(m.Data) != `{"a": 1}` {
		t.Errorf("the message is %+v", m)
	}
	secure.CloseIdleConnections()

	r.stop() // and a line over TLS is told to go as well
	c.until("goodbye")
	_ = conn.CloseNow()
}

func TestPlainRequestToATLSPort(t *testing.T) {
	text, _ := secureText(t)
	r := start(t, text)
	status, _, body := ask(t, "GET", r.url("/healthz"), "")
	if status != http.StatusBadRequest {
		t.Errorf("status %d: %s", status, body)
	}
}

func TestCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, err := selfsigned.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		log := &logBuffer{}
		c, err := newCertificates(config.TLS{Cert: certFile, Key: keyFile}, slog.New(slog.NewJSONHandler(log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		serial := func() string {
			pair, err := c.get(nil)
			if err != nil {
				t.Fatal(err)
			}
			return pair.Leaf.SerialNumber.String()
		}
		first := serial()
		if err := os.WriteFile(keyFile, []byte("half a k"), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			time.Sleep(lookAgain)
			if serial() != first {
				t.Fatal("a pair that cannot be used is handed out")
			}
		}
		if n := strings.Count(log.String(), "cannot be used"); n != 1 {
			t.Errorf("%d complaints, want 1:\n%s", n, log)
		}
		if _, _, err := selfsigned.Write(dir); err != nil {
			t.Fatal(err)
		}
		if serial() != first {
			t.Error("the files are looked at more than once a minute")
		}
		time.Sleep(lookAgain)
		if serial() == first {
			t.Error("the new certificate is not used")
		}
	})
}

func TestCertificateThatIsGone(t *testing.T) {
	text, _ := secureText(t)
	cfg := parse(t, text)
	cfg.TLS.Key = filepath.Join(t.TempDir(), "gone.pem")
	if _, err := New(Options{Config: cfg}); err == nil || !strings.Contains(err.Error(), "gone.pem") {
		t.Errorf("%v, want an error about the key", err)
	}
}
