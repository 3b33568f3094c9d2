package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is rewritten is the same in new files, since the old ones may not be on the disk.
func TestRewrite(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "streams", "MT")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	before := make(map[string]os.FileInfo)
	for name, text := range map[string]string{filepath.Join(dir, "a"): "", filepath.Join(deep, "1.blk"): strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		if before[name], err = os.Stat(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := rewrite(dir); err != nil {
		t.Fatal(err)
	}
	for name, was := range before {
		is, err := os.Stat(name)
		if err != nil || is.Size() != was.Size() || os.SameFile(is, was) {
			t.Errorf("%s: %d bytes, the same file %t, %v", name, is.Size(), os.SameFile(is, was), err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(deep, "1.blk")); err != nil || string(data) != strings.Repeat("x", 1<<20) {
		t.Errorf("the content changed: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new-file")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
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
