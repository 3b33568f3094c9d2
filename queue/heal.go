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

// rewrite writes every file below dir anew. After a sync that failed the kernel holds pages
// for written that never reached the disk, and no later sync tells: what is read now, which is
// what the next server will read, is brought onto the disk as new files.
func rewrite(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		from, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = from.Close() }()
		return replace(dir, path, from)
	})
	if err != nil {
		return err
	}
	root, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return syncStore(root) // the directories
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
