package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/server"
	"github.com/magpie-bridge/magpie/web"
)

// serveFlags are what the command line says of the gateway.
type serveFlags struct {
	dev    bool
	listen string
	config string
	data   string
	logs   []string

	named bool // the configuration or the environment names the node
}

func newServeCommand(env environment) *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve [--dev] [--listen HOST:PORT] [--config FILE] [--data DIR] [--logs GLOB...]",
		Short: "Run the gateway",
		Long: `Run the gateway: WebSocket at /ws, the console at /, publishing over HTTP at
/magpie.v1.GatewayService/Publish, and /healthz, /readyz and /metrics.

With --dev everybody on this machine gets in without a token, and the readable files under /var/log are shown when no
--logs are given. With --data the channels are kept on disk, and what was acknowledged is there again after a crash or a
loss of power. Without --dev, a client needs a JSON Web Token or an API key: see auth in the configuration.

With tls.cert and tls.key in the configuration, or MAGPIE_TLS_CERT and MAGPIE_TLS_KEY, the port speaks TLS alone; files
that change are read anew.

A hangup (SIGHUP), or "magpie reload", has the gateway read its configuration again.

Ctrl-C (or SIGTERM) drains: clients are told to come back, and what was accepted is finished. A second one ends the
process at once.`,
		Example: `  magpie serve --dev
  magpie serve --dev --logs '/var/log/*.log' --logs app.log
  magpie serve --data /var/lib/magpie --config magpie.yaml
  MAGPIE_AUTH_JWT_SECRET=... magpie serve --listen 0.0.0.0:8080`,
		Args: usage(func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && len(flags.logs) == 0 {
				return fmt.Errorf("%q is no option of serve: log files are given with --logs", args[0])
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			// A shell that expanded the glob leaves one file to the flag and the others behind it.
			flags.logs = append(flags.logs, args...)
			return serve(cmd.Context(), env, flags)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&flags.dev, "dev", false, "development: no token needed, on this machine only")
	f.StringVar(&flags.listen, "listen", "", "address to listen on, HOST:PORT (default 127.0.0.1:8080)")
	f.StringVar(&flags.config, "config", "", "configuration file (see deploy/magpie.example.yaml)")
	f.StringVar(&flags.data, "data", "", "directory for what outlives the process: the channels, and the node's id")
	f.StringArrayVar(&flags.logs, "logs", nil, "log files to follow, as a glob; may be repeated")
	return cmd
}

func serve(ctx context.Context, env environment, flags serveFlags) error {
	cfg, err := config.Load(flags.config, flags.override)
	if err != nil {
		return &usageError{err}
	}
	if cfg.Data != "" {
		kept, err := server.UseDataDir(cfg.Data, cfg.NodeID)
		if err != nil {
			return err
		}
		if !flags.named {
			cfg.NodeID = kept
		}
	}
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // the configuration allows no other names
	// With fewer processors than that a busy loop would keep handshakes and workers waiting.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), cfg.Loops+1))
	s, err := server.New(server.Options{
		Config: cfg,
		Pace:   os.Getenv("GOGC") == "", // or somebody has paced it
		Logger: newLogger(env.stderr, cfg.Log.Format, level),
		Level:  level,
		Reload: func(running *config.Config) (*config.Config, error) {
			return config.Reload(flags.config, running, flags.override)
		},
		Version: buildVersion(),
		Console: web.Console(),
	})
	if err != nil {
		return err
	}
	stopListening := reloadOnHangup(ctx, s.Gateway())
	defer stopListening()
	announce(env.stdout, cfg, s.Addr())
	return s.Run(ctx)
}

// override lets the flags have their way over the file and the environment.
func (f *serveFlags) override(cfg *config.Config) {
	f.named = cfg.NodeID != ""
	if f.dev {
		cfg.Development = true
		if f.config == "" {
			cfg.Log.Format = "text" // a person is looking
		}
	}
	if f.listen != "" {
		cfg.Listen = f.listen
	}
	if f.data != "" {
		cfg.Data = f.data
	}
	if len(f.logs) > 0 {
		cfg.Logs.Globs = f.logs
	}
}

func newLogger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// announce tells where the gateway is found.
func announce(w io.Writer, cfg *config.Config, addr net.Addr) {
	host, secure := browsable(addr), ""
	if cfg.TLS.Enabled() {
		secure = "s"
	}
	fmt.Fprintf(w, "Magpie %s is running as %s. Ctrl-C ends it.\n  console    http%s://%s/\n  WebSocket  ws%s://%s/ws\n",
		buildVersion(), cfg.NodeID, secure, host, secure, host)
	switch {
	case len(cfg.Logs.Globs) > 0:
		fmt.Fprintf(w, "  logs       %s\n", strings.Join(cfg.Logs.Globs, " "))
	case cfg.Development:
		fmt.Fprintln(w, "  logs       the readable files under /var/log; others with --logs GLOB")
	}
	if cfg.OnDisk() {
		fmt.Fprintf(w, "  channels   kept in %s\n", cfg.Data)
	}
	if cfg.Development {
		fmt.Fprintln(w, "  Development mode: everybody on this machine gets in without a token.")
	}
}

// browsable is an address that can be typed into a browser on this machine.
func browsable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
