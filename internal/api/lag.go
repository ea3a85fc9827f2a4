package api

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/magpie-bridge/magpie/internal/session"
)

// lagCollector asks the loops how far behind their subscriptions are, whenever the figures are read (prometheus.Collector).
type lagCollector struct {
	shards       []*session.Shard
	largest, far *prometheus.Desc
}

func newLagCollector(shards []*session.Shard) *lagCollector {
	return &lagCollector{
		shards: shards,
		largest: prometheus.NewDesc("magpie_subscription_lag_max",
			"Messages that the subscription furthest behind has before it, by loop.", []string{"loop"}, nil),
		far: prometheus.NewDesc("magpie_subscriptions_far_behind",
			"Subscriptions more than "+strconv.Itoa(session.FarBehind)+" messages behind, by loop.", []string{"loop"}, nil),
	}
}

func (c *lagCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.largest
	descs <- c.far
}

// Collect leaves a loop out that does not answer in time.
func (c *lagCollector) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), session.AskTimeout)
	defer cancel()
	for _, s := range session.Surveys(ctx, c.shards, session.SurveyQuery{}) {
		loop := strconv.Itoa(s.Loop)
		metrics <- prometheus.MustNewConstMetric(c.largest, prometheus.GaugeValue, float64(s.Largest), loop)
		metrics <- prometheus.MustNewConstMetric(c.far, prometheus.GaugeValue, float64(s.Far), loop)
	}
}
