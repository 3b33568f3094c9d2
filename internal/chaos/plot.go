//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A picture of the measurements, one strip below the other, as SVG: no library, no font but
// the reader's.

const (
	plotWidth, stripHeight = 900, 150
	plotLeft, plotRight    = 90, 20
	stripTop, stripBottom  = 34, 24
)

// strip is one thing that was measured.
type strip struct {
	title string
	unit  float64 // what one step on the axis is worth
	of    func(sample) int64
}

var strips = []strip{
	{"resident memory, MB", 1e6, func(s sample) int64 { return s.rss }},
	{"goroutines", 1, func(s sample) int64 { return s.goroutines }},
	{"open files", 1, func(s sample) int64 { return s.fds }},
	{"messages queued", 1, func(s sample) int64 { return s.queue }},
}

// plotSamples writes measurements.svg.
func plotSamples(dir string, all []sample) error {
	f, err := os.Create(filepath.Join(dir, "measurements.svg"))
	if err != nil {
		return err
	}
	if err := plot(f, all); err != nil {
		return err
	}
	return f.Close()
}

func plot(out io.Writer, all []sample) error {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, len(strips)*stripHeight)
	b.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	for i, s := range strips {
		s.draw(&b, float64(i*stripHeight), all)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// draw puts a strip at y. The axis begins at nothing, so that what is flat looks flat.
func (s strip) draw(b *strings.Builder, y float64, all []sample) {
	if len(all) == 0 {
		return
	}
	most, end := 1.0, max(all[len(all)-1].at, time.Second)
	for _, one := range all {
		most = max(most, float64(s.of(one))/s.unit)
	}
	top, bottom := y+stripTop, y+stripHeight-stripBottom
	right := float64(plotWidth - plotRight)
	place := func(at time.Duration, v float64) (float64, float64) {
		return plotLeft + (right-plotLeft)*at.Seconds()/end.Seconds(), bottom - (bottom-top)*v/most
	}
	trend := slopeOf(all, s.of)
	fmt.Fprintf(b, `<text x="%d" y="%.0f">%s; slope %+.2f an hour</text>`+"\n", plotLeft, y+22, s.title, trend/s.unit)
	fmt.Fprintf(b, `<path d="M%d %.0fV%.0fH%.0f" fill="none" stroke="#888"/>`+"\n", plotLeft, top, bottom, right)
	fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end">%.4g</text><text x="%d" y="%.0f" text-anchor="end">0</text>`+"\n", plotLeft-6, top+6, most, plotLeft-6, bottom+4)
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" text-anchor="end">%.0f min</text>`+"\n", right, bottom+18, end.Minutes())
	b.WriteString(`<polyline fill="none" stroke="#0a58ca" points="`)
	for _, one := range all {
		x, v := place(one.at, float64(s.of(one))/s.unit)
		fmt.Fprintf(b, "%.1f,%.1f ", x, v)
	}
	b.WriteString(`"/>` + "\n")
}

// slopeOf is by how much something grows in an hour: least squares over the last three
// quarters, since what begins is not at rest yet.
func slopeOf(all []sample, of func(sample) int64) float64 {
	all = all[len(all)/4:]
	if len(all) < 2 {
		return 0
	}
	var meanX, meanY float64
	for _, s := range all {
		meanX += s.at.Hours() / float64(len(all))
		meanY += float64(of(s)) / float64(len(all))
	}
	var xy, xx float64
	for _, s := range all {
		xy += (s.at.Hours() - meanX) * (float64(of(s)) - meanY)
		xx += (s.at.Hours() - meanX) * (s.at.Hours() - meanX)
	}
	return xy / xx
}
