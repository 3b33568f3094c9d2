package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is rewritten is the same in new files, since the old ones may not be on the disk.
func TestRewrite(t *testing.T) {
	for _, tt := range []struct {
		name   string
		atOnce int64
	}{
		{"one by one", 1},
		{"some at once", 1 << 20},
		{"all at once", copyAtOnce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			deep := filepath.Join(dir, "streams", "MT")
			// The directory new is left from a crash.
			for _, d := range []string{deep, filepath.Join(dir, newFiles)} {
				if err := os.MkdirAll(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(dir, newFiles, "0"), "half")
			texts := map[string]string{filepath.Join(dir, "empty"): ""}
			for n := range 9 {
				texts[filepath.Join(deep, fmt.Sprint(n, ".blk"))] = strings.Repeat(fmt.Sprint(n), 300<<10)
			}
			before := make(map[string]os.FileInfo)
			for name, text := range texts {
				before[name] = write(t, name, text)
			}
			if err := rewrite(dir, tt.atOnce); err != nil {
				t.Fatal(err)
			}
			for name, text := range texts {
				is, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				if data, err := os.ReadFile(name); err != nil || string(data) != text {
					t.Errorf("the content of %s changed: %v", name, err)
				}
				if os.SameFile(is, before[name]) {
					t.Errorf("%s is still the old file", name)
				}
			}
			if left, err := filepath.Glob(filepath.Join(dir, "new*")); err != nil || left != nil {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func write(t *testing.T, name, text string) os.FileInfo {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// An empty directory where the disk was mounted is not taken for it.
func TestDirectoryID(t *testing.T) {
	dir := t.TempDir()
	id, err := makeID(dir)
	if err != nil || id == "" {
		t.Fatalf("id %q, %v", id, err)
	}
	if again, err := makeID(dir); err != nil || again != id {
		t.Errorf("a second id %q, %v", again, err)
	}
	if err := checkID(dir, id); err != nil {
		t.Error(err)
	}
	if err := checkID(dir, "another"); err == nil {
		t.Error("another directory is taken for it")
	}
	if err := checkID(t.TempDir(), id); err == nil || !strings.Contains(err.Error(), "mount its file system") {
		t.Errorf("an empty directory: %v", err)
	}
}
