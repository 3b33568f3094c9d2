//go:build linux

package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A clock step that the daemon alone sees. A time namespace moves no wall clock, a preloaded
// library does not reach a static program, and the machine's own clock is everybody's. So the
// daemon is compiled with a package time whose wall clock, and nothing else, is moved by a
// number in a file that it shares with us: as after a real step, time.Now tells another
// time of day, while timers and differences go on.

// clockVar names the file to the daemon.
const clockVar = "CHAOS_CLOCK"

// stepped is what package time has more of.
const stepped = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// step is by how many seconds the wall clock is wrong.
var step = new(atomic.Int64)

func init() {
	path, ok := syscall.Getenv("` + clockVar + `")
	if !ok {
		return
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	step = (*atomic.Int64)(unsafe.Pointer(unsafe.SliceData(page)))
}
`

// The line of time.Now that reads the clock, and what goes in its place.
const (
	readsClock = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {"
	readsStep  = "\tsec, nsec, mono := runtimeNow()\n\tsec += step.Load()\n\tif mono == 0 {"
)

// clock moves the daemon's wall clock.
type clock struct {
	file *os.File
}

// newClock prepares a clock in dir, and the flags to build a daemon that goes by it.
func newClock(dir string) (*clock, []string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // it is over in a moment
	if err != nil {
		return nil, nil, err
	}
	std := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return nil, nil, err
	}
	changed := strings.Replace(string(source), readsClock, readsStep, 1)
	if changed == string(source) {
		return nil, nil, errors.New("this version of Go reads its clock in another way")
	}
	now, more, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "step.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(std, "time.go"): now, filepath.Join(std, "chaos_step.go"): more,
	}})
	if err != nil {
		return nil, nil, err
	}
	for path, content := range map[string]string{now: changed, more: stepped, overlay: string(replace)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return nil, nil, err
		}
	}
	c := &clock{}
	if c.file, err = os.Create(filepath.Join(dir, "clock")); err != nil {
		return nil, nil, err
	}
	if err := c.set(0); err != nil {
		return nil, nil, err
	}
	return c, []string{"-overlay", overlay}, nil
}

// set makes the daemon's wall clock wrong by so many seconds from now on.
func (c *clock) set(by time.Duration) error {
	b := binary.NativeEndian.AppendUint64(nil, uint64(int64(by/time.Second)))
	_, err := c.file.WriteAt(b, 0)
	return err
}

// env is what the daemon must be started with.
func (c *clock) env() string { return fmt.Sprintf("%s=%s", clockVar, c.file.Name()) }
