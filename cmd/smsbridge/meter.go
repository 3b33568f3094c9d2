package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// meter shows how far a long command is: a bar on a terminal, and elsewhere a line now and then.
type meter struct {
	out   io.Writer
	size  int64 // of all, in bytes; 0: not known
	bar   bool
	shown bool // a bar stands on the line
	every time.Duration
	began time.Time
	last  time.Time
}

// How often it is shown.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

func newMeter(out io.Writer, size int64) *meter {
	m := &meter{out: out, size: size, every: lineEvery, began: time.Now(), last: time.Now()}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		m.bar, m.every = true, barEvery
	}
	return m
}

// show says that read bytes of it are done.
func (m *meter) show(read int64, lines, bad int) {
	now := time.Now()
	if now.Sub(m.last) < m.every {
		return
	}
	m.last = now
	text := progress(read, m.size, lines, bad, now.Sub(m.began))
	if !m.bar {
		fmt.Fprintln(m.out, text)
		return
	}
	if m.size > 0 {
		done := int(min(read, m.size) * barWidth / m.size)
		text = "[" + strings.Repeat("#", done) + strings.Repeat(".", barWidth-done) + "] " + text
	}
	fmt.Fprintf(m.out, "\r\x1b[K%s", text)
	m.shown = true
}

// progress says how far it is in words.
func progress(read, size int64, lines, bad int, took time.Duration) string {
	text := fmt.Sprintf("%s, %d bad, %.0f a second", count(lines, "line"), bad, float64(lines)/took.Seconds())
	if size <= 0 || read <= 0 {
		return text
	}
	read = min(read, size)
	left := time.Duration(float64(took) * float64(size-read) / float64(read)).Round(time.Second)
	return fmt.Sprintf("%d %%, %s, %s left", 100*read/size, text, left)
}

// clear makes room for other lines.
func (m *meter) clear() {
	if m.shown {
		fmt.Fprint(m.out, "\r\x1b[K")
		m.shown = false
	}
}
