package disk_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"smsbridge/internal/disk"
)

// TestPowerCut writes files on each file system: what was synced outlives a cut, what was
// not does not.
func TestPowerCut(t *testing.T) {
	disk.Namespaced(t, func(t *testing.T) {
		for _, fs := range []disk.FileSystem{disk.Ext4, disk.XFS, disk.Btrfs} {
			t.Run(fs.Name, func(t *testing.T) {
				m := disk.Mount(t, fs, 1)
				for round := range 3 {
					name := func(what string) string { return filepath.Join(m.Dir, fmt.Sprint(what, round)) }
					content := bytes.Repeat([]byte{byte('a' + round)}, 3_000_000)
					ok(t, os.WriteFile(name("synced"), content, 0o600))
					ok(t, os.WriteFile(name("removed"), content, 0o600))
					ok(t, os.WriteFile(name("old"), content, 0o600))
					ok(t, m.Sync())
					ok(t, os.WriteFile(name("unsynced"), content, 0o600))
					ok(t, os.Remove(name("removed")))
					ok(t, os.Rename(name("old"), name("new")))
					m.Cut()
					if m.Sync() == nil {
						t.Error("a sync without power")
					}
					m.PowerUp()
					for r := range round + 1 {
						got, err := os.ReadFile(filepath.Join(m.Dir, fmt.Sprint("synced", r)))
						if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte('a' + r)}, 3_000_000)) {
							t.Errorf("round %d: %d octets, %v", r, len(got), err)
						}
					}
					if got, err := os.ReadFile(name("unsynced")); err == nil && bytes.Equal(got, content) {
						t.Error("what was never synced is there")
					}
					for what, want := range map[string]error{"removed": nil, "old": nil, "new": unix.ENOENT} {
						if _, err := os.Stat(name(what)); (err == nil) != (want == nil) {
							t.Errorf("%s: %v", what, err)
						}
					}
				}
			})
		}
	})
}
