package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/magpie-bridge/magpie/internal/auth"
	"github.com/magpie-bridge/magpie/internal/config"
	"github.com/magpie-bridge/magpie/internal/hub"
	"github.com/magpie-bridge/magpie/internal/source/file"
	"github.com/magpie-bridge/magpie/internal/source/slogsource"
	"github.com/magpie-bridge/magpie/internal/wire"
)

// systemLogs are the files that development mode follows when none are named: what a Debian or Ubuntu machine has.
// What is no text, or not readable, is passed over by the tailer.
func systemLogs() []string { return []string{"/var/log/*", "/var/log/*/*"} }

// sources are what the gateway itself publishes: the lines of log files, and its own log.
type sources struct {
	cfg   *config.Logs
	dev   bool
	drain time.Duration      // how long publishing may go on at the end
	own   *slogsource.Source // nil when the gateway's own log is not published
	tail  *file.Tailer       // nil when no files are followed
	log   *slog.Logger       // whose records are left out of the own log's channel
}

// prepareSources makes the logger that the gateway is to use, so that its records reach the log channel too.
func prepareSources(opts Options) (*sources, *slog.Logger) {
	logger := opts.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &sources{
		cfg:   &opts.Config.Logs,
		dev:   opts.Config.Development,
		drain: max(opts.Config.Shutdown.Drain/2, time.Millisecond), // the other half is for the clients
		log:   logger,
	}
	if s.cfg.OwnLog {
		s.own = slogsource.New(slogsource.Options{Next: logger.Handler(), Channel: wire.ChannelName(s.cfg.Channel)})
		logger = slog.New(s.own)
		s.log = slogsource.LogDelivery(logger)
	}
	return s, logger
}

// open connects the sources with the gateway.
func (s *sources) open(g *Gateway) error {
	publisher := hubPublisher{hub: g.hub, own: g.own}
	if s.own != nil {
		s.own.PublishTo(publisher)
	}
	globs := s.cfg.Globs
	if len(globs) == 0 && s.dev {
		globs = systemLogs()
	}
	if len(globs) == 0 {
		return nil
	}
	from := file.FromEnd
	if s.cfg.LinesBack > 0 {
		from = file.From(s.cfg.LinesBack)
	}
	keeper, _ := g.engine.(file.Keeper) // those that keep nothing have none
	tail, err := file.New(file.Options{
		Keeper:       keeper,
		Paths:        globs,
		From:         from,
		Publisher:    publisher,
		Channel:      wire.ChannelName(s.cfg.Channel),
		Logger:       s.log,
		DrainTimeout: s.drain,
	})
	s.tail = tail
	return err
}

// run publishes until ctx ends and all that was read by then has been published.
func (s *sources) run(ctx context.Context) {
	var running sync.WaitGroup
	if s.tail != nil {
		running.Go(func() {
			if err := s.tail.Run(ctx); err != nil {
				s.log.Error("following log files ended", "error", err)
			}
		})
	}
	if s.own != nil {
		running.Go(func() { s.own.Run(ctx) })
	}
	running.Wait()
}

// hubPublisher publishes as the gateway itself (source.Publisher).
type hubPublisher struct {
	hub *hub.Hub
	own *auth.Principal
}

func (p hubPublisher) Publish(ctx context.Context, name wire.ChannelName, batch []wire.Publication) ([]wire.PublishResult, error) {
	published, err := p.hub.PublishWait(ctx, p.own, &wire.Publish{Channel: name, Messages: batch})
	if err != nil {
		return nil, err
	}
	return published.Results, nil
}
