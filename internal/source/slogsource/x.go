package slogsource
import ("context";"log/slog";"github.com/magpie-bridge/magpie/internal/source";"github.com/magpie-bridge/magpie/internal/wire")
type Options struct{Next slog.Handler; Channel wire.ChannelName}
type Source struct{ slog.Handler }
func New(o Options) *Source { return &Source{o.Next} }
func (s *Source) PublishTo(source.Publisher) {}
func (s *Source) Run(ctx context.Context) { <-ctx.Done() }
func LogDelivery(l *slog.Logger) *slog.Logger { return l }
