package scenarios_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/server"
)

const folder = "../../protocol/scenarios"

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files in %s (%v)", len(files), folder, err)
	}
	for _, driver := range drivers() {
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".txtar")
			t.Run(driver+"/"+name, func(t *testing.T) {
				t.Parallel()
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				s, err := parseScript(data)
				if err != nil {
					t.Fatal(err)
				}
				if err := play(t.Context(), s, startGateway(t, s.config, driver)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestFalseDialoguesFail shows that the player notices what is otherwise than written.
func TestFalseDialoguesFail(t *testing.T) {
	url := startGateway(t, "", config.DriverGoroutine)
	for name, dialogue := range map[string]string{
		"another value":        "A> {\"type\":\"connect\"}\nA< {\"type\":\"connected\",\"userId\":\"alice\"}",
		"a field that is not":  "A> {\"type\":\"connect\"}\nA< {\"type\":\"connected\",\"expiresAt\":\"*\"}",
		"a field that is":      "A> {\"type\":\"connect\"}\nA< {\"type\":\"connected\",\"nodeId\":null}",
		"an unasked requestId": "A> {\"type\":\"connect\",\"requestId\":\"1\"}\nA< {\"type\":\"connected\"}",
		"two values of a name": "A> {\"type\":\"connect\"}\nA< {\"type\":\"connected\",\"userId\":\"$a\",\"nodeId\":\"$a\"}",
		"another order":        "A> {\"type\":\"ping\"}\nA< {\"type\":\"pong\"}\nA< {\"type\":\"connected\"}",
		"another payload":      "A> {\"type\":\"connect\"}\nA< {\"type\":\"connected\"}\nA> {\"type\":\"call\",\"requestId\":\"1\",\"method\":\"magpie.echo\",\"data\":{\"a\":1,\"b\":2}}\nA< {\"type\":\"reply\",\"requestId\":\"1\",\"data\":{\"a\":1}}",
		"another text":         "A> ping\nA< pang",
		"none of any order":    "A> {\"type\":\"ping\"}\nA~ {\"type\":\"pong\"}\nA~ {\"type\":\"pong\"}",
		"an open line":         "A> {\"type\":\"ping\"}\nA< {\"type\":\"connected\"}\nA closed 1000",
		"another code":         "A>hex 00\nA closed 1002",
		"another status":       "A open json answer 401",
		"another answer":       "S asks Node {} gets {\"nodeId\":\"*\",\"draining\":true}",
		"a refusal":            "S asks Sessions {\"limit\":-1} gets {\"total\":\"*\"}",
		"no answer":            "S asks Node {}",
		"a name without value": "A> {\"type\":\"connect\",\"token\":\"$nothing\"}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := parseScript([]byte("Words.\n-- dialogue --\n" + dialogue + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if err := play(t.Context(), s, url); err == nil {
				t.Error("the player noticed nothing")
			}
		})
	}
}

func TestBrokenFilesAreRefused(t *testing.T) {
	for name, file := range map[string]string{
		"no words":        "-- dialogue --\nA> ping\n",
		"no dialogue":     "Words.\n",
		"unknown section": "Words.\n-- dialog --\nA> ping\n",
		"unknown action":  "Words.\n-- dialogue --\nA shouts\n",
		"no client":       "Words.\n-- dialogue --\n> ping\n",
	} {
		if _, err := parseScript([]byte(file)); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}

// drivers are those that this system has.
func drivers() []string {
	if runtime.GOOS == "linux" {
		return []string{config.DriverEpoll, config.DriverGoroutine}
	}
	return []string{config.DriverGoroutine}
}

// startGateway starts a gateway for one test and returns its address.
func startGateway(t *testing.T, settings, driver string) string {
	t.Helper()
	file := ""
	if settings != "" {
		file = filepath.Join(t.TempDir(), "magpie.yaml")
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(file, func(c *config.Config) {
		c.Driver = driver
		c.Development = c.Development || len(c.Auth.APIKeys) == 0 && !c.Auth.JWT.Secret.IsSet()
		c.Memory.LogBytes = 64 * config.MiB
	})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := server.NewGateway(server.Options{Config: cfg, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(gateway.Handler())
	t.Cleanup(func() {
		listener.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := gateway.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return "ws" + strings.TrimPrefix(listener.URL, "http") + "/ws"
}
