//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// sample is what the daemon takes at one moment.
type sample struct {
	at                     time.Duration
	rss                    int64 // bytes
	goroutines, fds, queue int64
}

// measure looks at the daemon again and again until ctx ends, and writes what it saw to
// measurements.csv and measurements.svg.
func (r *run) measure(ctx context.Context) {
	began := time.Now()
	for sleep(ctx, r.cfg.sample) == nil {
		s, err := r.daemons[0].measure(ctx)
		if err != nil {
			continue // it is being restarted
		}
		s.at = time.Since(began)
		r.samples = append(r.samples, s)
	}
	err := errors.Join(writeSamples(filepath.Join(r.results, "measurements.csv"), r.samples), plotSamples(r.results, r.samples))
	if err != nil {
		fmt.Fprintf(r.out, "the measurements are not written: %v\n", err)
	}
}

func (d *daemon) measure(ctx context.Context) (s sample, err error) {
	process, _ := d.now()
	pid := process.Pid
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return s, err
			}
			s.rss = kilobytes << 10
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return s, err
	}
	s.fds = int64(len(files))
	return s, d.scrape(ctx, &s)
}

// scrape reads the daemon's own metrics.
func (d *daemon) scrape(ctx context.Context, s *sample) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url(&d.ops)+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		var into *int64
		switch {
		case name == "go_goroutines":
			into = &s.goroutines
		case strings.HasPrefix(name, "smsbridge_queue_messages"):
			into = &s.queue
		default:
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("metric %s: %w", name, err)
		}
		*into += int64(n)
	}
	return lines.Err()
}

func writeSamples(path string, all []sample) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	out := csv.NewWriter(f)
	_ = out.Write([]string{"seconds", "rss_bytes", "goroutines", "files", "queued"}) // Flush tells
	for _, s := range all {
		_ = out.Write([]string{
			strconv.FormatFloat(s.at.Seconds(), 'f', 1, 64), fmt.Sprint(s.rss), fmt.Sprint(s.goroutines), fmt.Sprint(s.fds), fmt.Sprint(s.queue),
		})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	return f.Close()
}
