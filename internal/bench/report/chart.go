package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// series is one line of a chart.
type series struct {
	name   string
	points []point
}

// point is where a line passes.
type point struct{ x, y float64 }

// chart is a drawing of lines, or of bars when it has labels: one bar for each point of the first series.
type chart struct {
	title  string
	x      axis
	y      axis
	labels []string
	series []series
}

// axis is how one direction of a chart is read.
type axis struct {
	name        string
	logarithmic bool
	format      func(float64) string
	marks       []float64 // nil: they are chosen
}

// The measures of a chart, in pixels.
const (
	width, height            = 640, 300
	left, right, top, bottom = 76, 28, 48, 44
)

// legendGap is between two names of a legend.
const legendGap = 14

// widthOf is about how wide a name of the legend is drawn.
func widthOf(name string) int {
	const letter = 6.5
	return int(letter * float64(len(name)))
}

// colours tell lines apart; the page defines them, so that they suit its light and its dark form.
const colours = 6

// scale maps values of an axis to pixels.
type scale struct {
	from, to    float64 // values
	start, end  float64 // pixels
	logarithmic bool
}

func (s scale) at(v float64) float64 {
	from, to := s.from, s.to
	if s.logarithmic {
		v, from, to = math.Log10(max(v, from)), math.Log10(from), math.Log10(to)
	}
	if to == from {
		return s.start
	}
	return s.start + (v-from)/(to-from)*(s.end-s.start)
}

// svg draws the chart.
func (c *chart) svg() template.HTML {
	x, y := c.scales()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img"><title>%s</title>`, width, height, escape(c.title))
	fmt.Fprintf(&b, `<text class="title" x="%d" y="18">%s</text>`, left, escape(c.title))
	for _, v := range c.y.choose(y) {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y.at(v), y.at(v))
		fmt.Fprintf(&b, `<text class="mark" text-anchor="end" x="%d" y="%.1f">%s</text>`, left-8, y.at(v)+4, escape(c.y.format(v)))
	}
	fmt.Fprintf(&b, `<text class="mark" text-anchor="middle" x="%d" y="%d">%s</text>`, (left+width-right)/2, height-6, escape(c.x.name))
	if c.labels != nil {
		c.bars(&b, y)
	} else {
		c.lines(&b, x, y)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}

func (c *chart) bars(b *strings.Builder, y scale) {
	step := float64(width-left-right) / float64(len(c.labels))
	for i, p := range c.series[0].points {
		middle, high := left+step*(float64(i)+0.5), y.at(p.y)
		w := min(step*0.6, 80)
		fmt.Fprintf(b, `<rect class="fill0" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			middle-w/2, high, w, y.start-high, escape(c.y.format(p.y)))
		fmt.Fprintf(b, `<text class="mark" text-anchor="middle" x="%.1f" y="%.1f">%s</text>`, middle, high-5, escape(c.y.format(p.y)))
		fmt.Fprintf(b, `<text class="mark" text-anchor="middle" x="%.1f" y="%d">%s</text>`, middle, height-bottom+16, escape(c.labels[i]))
	}
}

func (c *chart) lines(b *strings.Builder, x, y scale) {
	for _, v := range c.x.choose(x) {
		fmt.Fprintf(b, `<text class="mark" text-anchor="middle" x="%.1f" y="%d">%s</text>`, x.at(v), height-bottom+16, escape(c.x.format(v)))
	}
	legend := left
	for i, s := range c.series {
		colour := i % colours
		var path strings.Builder
		for _, p := range s.points {
			fmt.Fprintf(&path, "%.1f,%.1f ", x.at(p.x), y.at(p.y))
		}
		fmt.Fprintf(b, `<polyline class="line%d" points="%s"/>`, colour, strings.TrimSpace(path.String()))
		if len(s.points) == 1 {
			fmt.Fprintf(b, `<circle class="fill%d" cx="%.1f" cy="%.1f" r="4"/>`, colour, x.at(s.points[0].x), y.at(s.points[0].y))
		}
		fmt.Fprintf(b, `<text class="name%d" x="%d" y="%d">%s</text>`, colour, legend, top-12, escape(s.name))
		legend += widthOf(s.name) + legendGap
	}
}

// scales spans all points, and on linear axes zero.
func (c *chart) scales() (x, y scale) {
	x = scale{from: math.Inf(1), to: math.Inf(-1), start: left, end: width - right, logarithmic: c.x.logarithmic}
	y = scale{from: math.Inf(1), to: math.Inf(-1), start: height - bottom, end: top, logarithmic: c.y.logarithmic}
	for _, s := range c.series {
		for _, p := range s.points {
			x.from, x.to = min(x.from, p.x), max(x.to, p.x)
			y.from, y.to = min(y.from, p.y), max(y.to, p.y)
		}
	}
	return x.rounded(), y.rounded()
}

// rounded widens a scale: to whole powers of ten, or down to zero with some room above.
func (s scale) rounded() scale {
	if s.from > s.to { // no points
		s.from, s.to = 0, 1
	}
	if s.logarithmic {
		least := max(s.from, 1e-9)
		s.from = math.Pow(10, math.Floor(math.Log10(least)))
		s.to = math.Pow(10, math.Ceil(math.Log10(max(s.to, least*1.01))))
		return s
	}
	s.from = min(s.from, 0)
	s.to = max(s.to*1.1, 1e-9)
	return s
}

// choose names the values to mark on an axis.
func (a axis) choose(s scale) (marks []float64) {
	if a.marks != nil {
		return a.marks
	}
	if s.logarithmic {
		for v := s.from; v <= s.to*1.001; v *= 10 {
			marks = append(marks, v)
		}
		return marks
	}
	step := math.Pow(10, math.Floor(math.Log10((s.to-s.from)/4)))
	for _, factor := range []float64{5, 2} {
		if (s.to-s.from)/(step*factor) >= 3 {
			step *= factor
			break
		}
	}
	for v := s.from; v <= s.to; v += step {
		marks = append(marks, v)
	}
	return marks
}

func escape(s string) string { return template.HTMLEscapeString(s) }
