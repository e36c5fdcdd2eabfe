package bench

import (
	"bytes"
	"fmt"
	"io"
	"math"
)

// curves are what the plot shows, and how.
var curves = []struct{ way, label, colour, dash string }{
	{"ring", "ring, in place", "#c2185b", ""},
	{"ring_blocking", "ring, in place, blocking", "#1565c0", ""},
	{"ring_wazero", "ring, in place, wazero", "#00838f", ""},
	{"ring_copying", "ring, copying", "#2e7d32", ""},
	{"ring_fresh", "ring, fresh instance", "#8d6e63", ""},
	{"grpc", "gRPC", "#6a1b9a", ""},
	{"floor ring_spinning", "bare ring", "#c2185b", "2 3"},
	{"floor unix", "bare Unix socket", "#2e7d32", "2 3"},
	{"floor grpc", "bare gRPC", "#6a1b9a", "2 3"},
	{"extism", "extism, in process", "#ef6c00", "6 3"},
}

// Measures of the plot, in pixels.
const (
	svgWide, svgHigh   = 760.0, 440.0
	svgLeft, svgRight  = 80.0, 230.0
	svgTop, svgBottom  = 44.0, 56.0
	svgTitle           = "A call into a guest that reads the first byte, between host and sandbox, p50"
	svgFont, svgBorder = `font-family="sans-serif" font-size="12" fill="#222"`, `fill="none" stroke="#999"`
)

type point struct{ size, us float64 }

// points of a curve, by size.
func (r *Report) points(way string) (all []point) {
	for _, row := range r.Rows {
		if row.Way == way && row.Tool == "head" {
			all = append(all, point{float64(row.Size), row.SandboxP50})
		}
	}
	for _, f := range r.Floors {
		if "floor "+f.What == way && f.Size > 0 {
			all = append(all, point{float64(f.Size), f.P50})
		}
	}
	for _, p := range r.Peers {
		if p.Way == way && p.Tool == "head" {
			all = append(all, point{float64(p.Size), p.P50})
		}
	}
	return all
}

// WriteSVG plots the calls of the tool head over the size of their arguments, both
// axes logarithmic.
func (r *Report) WriteSVG(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" %s>`+"\n", svgWide, svgHigh, svgWide, svgHigh, svgFont)
	fmt.Fprintf(&b, "<title>%s</title>\n"+`<rect width="100%%" height="100%%" fill="#fff"/>`+"\n", svgTitle) // for pages that are dark
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, s)
	}
	text(svgLeft, 24, "start", svgTitle)
	x, y, sizes, low, high := r.axes()
	for e := low; e <= high; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", svgLeft, at, svgWide-svgRight, at)
		text(svgLeft-7, at+4, "end", micros(math.Pow(10, e)))
	}
	for _, size := range sizes {
		text(x(size), svgHigh-svgBottom+18, "middle", sizeName(int(size)))
	}
	fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" %s/>`+"\n", svgLeft, svgTop, svgWide-svgRight-svgLeft, svgHigh-svgTop-svgBottom, svgBorder)
	legend := svgTop + 10
	for _, c := range curves {
		points := r.points(c.way)
		if len(points) == 0 {
			continue
		}
		stroke := fmt.Sprintf(`stroke="%s" stroke-width="2" stroke-dasharray="%s"`, c.colour, c.dash)
		b.WriteString(`<polyline points="`)
		for _, p := range points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.size), y(p.us))
		}
		fmt.Fprintf(&b, `" fill="none" %s/>`+"\n", stroke)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", svgWide-svgRight+14, legend-4, svgWide-svgRight+44, legend-4, stroke)
		text(svgWide-svgRight+52, legend, "start", c.label)
		legend += 20
	}
	text((svgLeft+svgWide-svgRight)/2, svgHigh-14, "middle", "arguments")
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// axes maps sizes and microseconds to pixels, such that every point of a curve is
// inside.
func (r *Report) axes() (x, y func(float64) float64, sizes []float64, low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, c := range curves {
		for _, p := range r.points(c.way) {
			low, high = min(low, math.Floor(math.Log10(p.us))), max(high, math.Ceil(math.Log10(p.us)))
		}
	}
	for _, p := range r.points("ring") {
		sizes = append(sizes, p.size)
	}
	first, last := 64.0, 4<<20*1.0
	if len(sizes) > 1 {
		first, last = sizes[0], sizes[len(sizes)-1]
	}
	if low >= high {
		low, high = 0, 5
	}
	x = func(size float64) float64 {
		return svgLeft + 20 + math.Log2(size/first)/math.Log2(last/first)*(svgWide-svgRight-svgLeft-40)
	}
	y = func(us float64) float64 {
		return svgHigh - svgBottom - (math.Log10(us)-low)/(high-low)*(svgHigh-svgTop-svgBottom)
	}
	return x, y, sizes, low, high
}
