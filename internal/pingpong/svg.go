package pingpong

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// WriteSVG plots round trips (p50) over message size, both axes logarithmic,
// one panel for each condition and the same scales in all.
func (r *Report) WriteSVG(w io.Writer) error {
	p := plot{report: r}
	for _, condition := range Conditions {
		if r.has(condition) {
			p.conditions = append(p.conditions, condition)
		}
	}
	p.scale()
	p.draw()
	_, err := w.Write(p.svg.Bytes())
	return err
}

func (r *Report) has(condition Condition) bool {
	for _, c := range r.Results {
		if c.Condition == condition {
			return true
		}
	}
	return false
}

// Measures of the plot, in pixels.
const (
	plotTop    = 108.0
	plotLeft   = 70.0
	panelWide  = 300.0
	panelHigh  = 340.0
	panelGap   = 22.0
	plotBottom = 62.0
	legendWide = 186.0
)

type plot struct {
	report     *Report
	conditions []Condition
	svg        bytes.Buffer
	// Logarithms of the ends of the axes: bytes to base 2, nanoseconds to base 10.
	x0, x1, y0, y1 float64
}

// curve is how a transport looks.
type curve struct {
	transport, label, colour string
	width                    float64
	dash                     string
}

var curves = []curve{
	{"ring-spin", "ring, spinning", "#c2185b", 3, ""},
	{"ring-block", "ring, blocking", "#1565c0", 3, ""},
	{"atomic", "two words, spinning", "#c2185b", 1.2, "2 3"},
	{"futex", "two words, futex", "#1565c0", 1.2, "2 3"},
	{"memcpy", "memcpy, once", "#757575", 1.2, "6 3"},
	{"unix", "Unix socket", "#2e7d32", 1.6, ""},
	{"pipe", "pipe", "#8d6e63", 1.6, ""},
	{"netrpc", "go-plugin net/rpc", "#ef6c00", 1.6, ""},
	{"grpc", "go-plugin gRPC", "#6a1b9a", 1.6, ""},
}

// scale finds axes that hold every point.
func (p *plot) scale() {
	p.x0, p.x1, p.y0, p.y1 = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, c := range p.report.Results {
		if c.P50 <= 0 {
			continue
		}
		p.y0, p.y1 = min(p.y0, math.Floor(math.Log10(c.P50))), max(p.y1, math.Ceil(math.Log10(c.P50)))
		if c.Size > 0 {
			p.x0, p.x1 = min(p.x0, math.Log2(float64(c.Size))), max(p.x1, math.Log2(float64(c.Size)))
		}
	}
	if p.x0 > p.x1 {
		p.x0, p.x1 = 6, 26
	}
	if p.x0 == p.x1 {
		p.x0, p.x1 = p.x0-1, p.x1+1
	}
	if p.y0 > p.y1 {
		p.y0, p.y1 = 2, 8
	}
}

func (p *plot) x(panel int, log2 float64) float64 {
	return plotLeft + float64(panel)*(panelWide+panelGap) + 8 + (log2-p.x0)/(p.x1-p.x0)*(panelWide-16)
}

func (p *plot) y(log10 float64) float64 {
	return plotTop + panelHigh - (log10-p.y0)/(p.y1-p.y0)*panelHigh
}

func (p *plot) printf(format string, args ...any) { fmt.Fprintf(&p.svg, format, args...) }

func (p *plot) text(x, y float64, anchor, style, s string) {
	p.printf(`<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, style, s)
}

func (p *plot) draw() {
	n := float64(max(1, len(p.conditions)))
	wide := max(plotLeft+n*(panelWide+panelGap)+10, plotLeft+3*legendWide)
	high := plotTop + panelHigh + plotBottom
	// A background of its own, for pages that are dark.
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12" fill="#222">`+"\n", wide, high, wide, high)
	p.printf("<title>Round trip between two processes, by message size</title>\n")
	p.printf(`<rect width="100%%" height="100%%" fill="#fff"/>` + "\n")
	p.legend(wide)
	p.printf(`<text transform="translate(16 %.1f) rotate(-90)" text-anchor="middle">round trip, p50</text>`+"\n", plotTop+panelHigh/2)
	for e := p.y0; e <= p.y1; e++ {
		p.text(plotLeft-7, p.y(e)+4, "end", `font-size="11"`, durationName(e))
	}
	for i, condition := range p.conditions {
		p.panel(i, condition)
	}
	p.text(plotLeft+n*(panelWide+panelGap)/2, high-14, "middle", "", "message size (log)")
	p.printf("</svg>\n")
}

// legend has as many columns as fit, at least three, in the order of curves.
func (p *plot) legend(wide float64) {
	p.text(plotLeft, 22, "start", `font-size="14" font-weight="bold"`, "Round trip between two processes: written, echoed, read back")
	columns, at := int((wide-plotLeft)/legendWide), 0
	for _, c := range curves {
		if !p.measured(c.transport) {
			continue
		}
		x, y := plotLeft+float64(at%columns)*legendWide, 44+float64(at/columns)*17
		p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f" stroke-dasharray="%s"/>`+"\n", x, y-4, x+26, y-4, c.colour, c.width, c.dash)
		p.text(x+32, y, "start", "", c.label)
		at++
	}
}

func (p *plot) measured(transport string) bool {
	for _, c := range p.report.Results {
		if c.Transport == transport {
			return true
		}
	}
	return false
}

var conditionNames = map[Condition]string{
	Free:   "both CPUs free",
	Pinned: "both processes on one CPU",
	Busy:   "every CPU kept busy",
}

func (p *plot) panel(i int, condition Condition) {
	left := plotLeft + float64(i)*(panelWide+panelGap)
	p.text(left+panelWide/2, plotTop-10, "middle", `font-weight="bold"`, conditionNames[condition])
	for e := p.y0; e <= p.y1; e++ {
		p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", left, p.y(e), left+panelWide, p.y(e))
	}
	for _, size := range p.sizes() {
		x := p.x(i, math.Log2(float64(size)))
		p.printf(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#eee"/>`+"\n", x, plotTop, x, plotTop+panelHigh)
		p.printf(`<text transform="translate(%.1f %.1f) rotate(-35)" text-anchor="end" font-size="10">%s</text>`+"\n", x+4, plotTop+panelHigh+14, sizeName(size))
	}
	p.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="#999"/>`+"\n", left, plotTop, panelWide, panelHigh)
	for j := len(curves) - 1; j >= 0; j-- { // the ring last, on top
		p.curve(i, condition, curves[j])
	}
}

// sizes lists the sizes of the report, each once.
func (p *plot) sizes() []int {
	var sizes []int
	seen := map[int]bool{0: true}
	for _, c := range p.report.Results {
		if !seen[c.Size] {
			seen[c.Size] = true
			sizes = append(sizes, c.Size)
		}
	}
	return sizes
}

func (p *plot) curve(panel int, condition Condition, c curve) {
	var points, dots bytes.Buffer
	add := func(log2, ns float64) {
		x, y := p.x(panel, log2), p.y(math.Log10(ns))
		fmt.Fprintf(&points, "%.1f,%.1f ", x, y)
		if c.dash == "" {
			fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="%.1f" fill="%s"/>`+"\n", x, y, c.width, c.colour)
		}
	}
	for _, r := range p.report.Results {
		if r.Transport != c.transport || r.Condition != condition || r.P50 <= 0 {
			continue
		}
		if r.Size == 0 { // no message: the same for every size
			add(p.x0, r.P50)
			add(p.x1, r.P50)
			continue
		}
		add(math.Log2(float64(r.Size)), r.P50)
	}
	if points.Len() > 0 {
		p.printf(`<polyline points="%s" fill="none" stroke="%s" stroke-width="%.1f" stroke-dasharray="%s" stroke-linejoin="round"/>`+"\n", bytes.TrimSpace(points.Bytes()), c.colour, c.width, c.dash)
		p.svg.Write(dots.Bytes())
	}
}

// durationName names 10^e nanoseconds.
func durationName(e float64) string {
	units := []string{"ns", "µs", "ms", "s"}
	unit := min(max(int(e)/3, 0), len(units)-1)
	return fmt.Sprintf("%.3g %s", math.Pow(10, e-float64(3*unit)), units[unit])
}
