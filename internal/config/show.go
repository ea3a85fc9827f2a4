package config

import (
	"log/slog"

	"github.com/goccy/go-yaml"
)

// String shows every setting as YAML, with its secrets redacted.
func (c *Config) String() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		return "the configuration cannot be shown: " + err.Error()
	}
	return string(text)
}

// GoString keeps %#v from showing secrets.
func (c *Config) GoString() string { return c.String() }

// LogValue shows what an operator looks for after a start.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("listen", c.Listen),
		slog.Bool("tls", c.TLS.Enabled()),
		slog.Bool("development", c.Development),
		slog.String("nodeId", c.NodeID),
		slog.String("driver", c.Driver),
		slog.Int("loops", c.Loops),
		slog.String("logBytes", c.Memory.LogBytes.String()),
		slog.Bool("jwt", c.Auth.JWT.Secret.IsSet()),
		slog.Int("apiKeys", len(c.Auth.APIKeys)),
		slog.Any("origins", c.Origins),
	)
}
