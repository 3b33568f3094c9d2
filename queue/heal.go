package queue

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// This file is what is done to a disk before the server starts on it again.

// idFile tells one data directory from another, and from the empty directory that is in
// its place while its file system is not mounted.
const idFile = "store-id"

// makeID reads the id of a directory, or gives it one.
func makeID(dir string) (string, error) {
	if id, err := readID(dir); !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	id := rand.Text()
	return id, replace(dir, filepath.Join(dir, idFile), strings.NewReader(id+"\n"))
}

func readID(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, idFile))
	return strings.TrimSpace(string(data)), err
}

// checkID fails unless dir is the directory with that id.
func checkID(dir, id string) error {
	found, err := readID(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && found != id {
		return fmt.Errorf("%s is not the directory that was there: mount its file system", dir)
	}
	if err != nil {
		return fmt.Errorf("the data directory cannot be read: %w", err)
	}
	return nil
}

// probeSize is more than a NATS server writes at once.
const probeSize = 1 << 20

// probe fails unless the file system of dir has wanted bytes free and takes a file.
func probe(dir string, wanted int64) error {
	free, readOnly, err := diskState(dir)
	switch {
	case err != nil:
		return fmt.Errorf("the data directory cannot be read: %w", err)
	case readOnly:
		return errReadOnly(dir)
	case free < wanted:
		return fmt.Errorf("%d MB are free on the disk of %s and %d MB are needed: free some space", free>>20, dir, wanted>>20)
	}
	name := filepath.Join(dir, "probe")
	err = replace(dir, name, bytes.NewReader(make([]byte, probeSize)))
	if err == nil {
		err = os.Remove(name)
	}
	return err
}

// newFiles is the directory, below that of the store, in which files stand until they are on
// disk. The server looks at nothing there.
const newFiles = "new"

// copyAtOnce is how much rewrite copies, in bytes, before it syncs: a sync of its own for
// each of hundreds of files takes long on a slow disk.
const copyAtOnce = 64 << 20

// rewrite writes every file below dir anew. After a sync that failed the kernel holds pages
// for written that never reached the disk, and no later sync tells: what is read now, which is
// what the next server will read, is brought onto the disk as new files. The room that it
// needs is atOnce bytes or a fourth of what is free, whichever is less, and one file.
func rewrite(dir string, atOnce int64) error {
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	free, _, err := diskState(dir)
	if err != nil {
		return err
	}
	c := copies{root: root, temp: filepath.Join(dir, newFiles), most: min(atOnce, free/4)}
	err = c.begin()
	if err == nil {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case path == c.temp:
				return fs.SkipDir
			case !d.Type().IsRegular():
				return nil
			default:
				return c.add(path)
			}
		})
	}
	if err == nil {
		err = c.place()
	}
	if err = errors.Join(err, os.RemoveAll(c.temp)); err != nil {
		return err
	}
	return syncStore(root) // the directories
}

// copies are files of a store that are written anew together.
type copies struct {
	root *os.File // the store, opened before anything is written
	temp string   // the directory of the copies
	most int64    // bytes

	bytes int64
	of    []string // the originals: copy number i is of of[i]
}

// begin makes the directory anew: a crash may have left copies behind.
func (c *copies) begin() error {
	return errors.Join(os.RemoveAll(c.temp), os.Mkdir(c.temp, 0o700))
}

func (c *copies) name(i int) string { return filepath.Join(c.temp, strconv.Itoa(i)) }

// add copies a file, and places all where there are enough.
func (c *copies) add(path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(c.name(len(c.of)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	c.of, c.bytes = append(c.of, path), c.bytes+max(n, blockSize)
	if c.bytes >= c.most {
		return c.place()
	}
	return nil
}

// blockSize is about what a file takes at least.
const blockSize = 4 << 10

// place brings the copies onto the disk, and only then into the places of the originals.
func (c *copies) place() error {
	if err := syncStore(c.root); err != nil {
		return err
	}
	for i, path := range c.of {
		if err := os.Rename(c.name(i), path); err != nil {
			return err
		}
	}
	c.of, c.bytes = c.of[:0], 0
	return nil
}

// replace writes a file as a new one, which takes its place once it is on disk. Until then it
// stands in dir, where the server looks at nothing.
func replace(dir, path string, content io.Reader) error {
	temp := filepath.Join(dir, "new-file")
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
