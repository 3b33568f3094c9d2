package queue

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

// An export is a line that says what it is, and then frames: one octet for its kind, four
// for its length (big-endian), and so many octets.
//
//	H  JSON: the version of this format, the layout of the store, when it was written
//	S  JSON: a stream's name, configuration and state
//	C  a piece of the stream's snapshot, as the server makes it
//	E  the end of the stream; the next S, or Z, follows
//	Z  SHA-256 of all before this frame, and the end
const (
	exportMagic   = "smsbridge queue export\n"
	exportVersion = 1

	frameHead   = 'H'
	frameStream = 'S'
	frameChunk  = 'C'
	frameEnd    = 'E'
	frameSum    = 'Z'

	maxFrame = 4 << 20 // octets
)

type exportHead struct {
	Version int       `json:"version"`
	Layout  int       `json:"layout"`
	At      time.Time `json:"at"`
}

// frameWriter writes an export.
type frameWriter struct {
	w   *bufio.Writer
	sum hash.Hash
	out io.Writer // both
}

func newFrameWriter(w io.Writer) *frameWriter {
	f := &frameWriter{w: bufio.NewWriterSize(w, 1<<20), sum: sha256.New()}
	f.out = io.MultiWriter(f.w, f.sum)
	_, _ = io.WriteString(f.out, exportMagic) // bufio keeps its error for what follows
	return f
}

func (f *frameWriter) json(kind byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return f.frame(kind, data)
}

func (f *frameWriter) frame(kind byte, data []byte) error {
	if _, err := f.out.Write(frameStart(kind, len(data))); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	if _, err := f.out.Write(data); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func frameStart(kind byte, length int) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, uint32(length))
}

// end writes the checksum and all that is buffered.
func (f *frameWriter) end() error {
	sum := f.sum.Sum(nil)
	if err := f.frame(frameSum, sum); err != nil {
		return err
	}
	if err := f.w.Flush(); err != nil {
		return fmt.Errorf("queue: write the export: %w", err)
	}
	return nil
}

// What may be wrong with an export.
var (
	errNoExport = errors.New("queue: this file is not an export of smsbridge")
	errCutOff   = errors.New("queue: the export is not whole: it ends in the middle; copy it again, or export again")
	errDamaged  = errors.New("queue: the export is damaged: what it holds does not match its checksum; copy it again, or export again")
)

// frameReader reads an export and checks its sum.
type frameReader struct {
	r   *bufio.Reader
	sum hash.Hash
}

func newFrameReader(r io.Reader) (*frameReader, error) {
	f := &frameReader{r: bufio.NewReaderSize(r, 1<<20), sum: sha256.New()}
	magic := make([]byte, len(exportMagic))
	if _, err := io.ReadFull(f.r, magic); err != nil || string(magic) != exportMagic {
		return nil, errNoExport
	}
	f.sum.Write(magic)
	return f, nil
}

// next reads a frame. What it returns is the caller's. The last is frameSum, and it is right.
func (f *frameReader) next() (kind byte, data []byte, err error) {
	var start [5]byte
	if _, err := io.ReadFull(f.r, start[:]); err != nil {
		return 0, nil, cutOff(err)
	}
	kind = start[0]
	length := binary.BigEndian.Uint32(start[1:])
	if length > maxFrame {
		return 0, nil, errDamaged
	}
	data = make([]byte, length)
	if _, err := io.ReadFull(f.r, data); err != nil {
		return 0, nil, cutOff(err)
	}
	if kind == frameSum {
		if !bytes.Equal(data, f.sum.Sum(nil)) {
			return 0, nil, errDamaged
		}
		return kind, data, nil
	}
	f.sum.Write(start[:])
	f.sum.Write(data)
	return kind, data, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutOff
	}
	return fmt.Errorf("queue: read the export: %w", err)
}

// checkExport reads all of an export, and tells what is wrong with it.
func checkExport(r io.Reader) error {
	in, err := newFrameReader(r)
	if err != nil {
		return err
	}
	// The kinds of frames that may follow.
	const first, between, within = "H", "SZ", "CE"
	for follow := first; ; {
		kind, data, err := in.next()
		if err != nil {
			return err
		}
		if !strings.ContainsRune(follow, rune(kind)) {
			return errDamaged
		}
		switch kind {
		case frameHead:
			if err := checkHead(data); err != nil {
				return err
			}
			follow = between
		case frameStream:
			follow = within
		case frameEnd:
			follow = between
		case frameSum:
			return nil
		}
	}
}

func checkHead(data []byte) error {
	var head exportHead
	if err := json.Unmarshal(data, &head); err != nil {
		return errDamaged
	}
	if head.Version > exportVersion || head.Layout > layout {
		return fmt.Errorf("queue: the export was written by a newer smsbridge (format %d, layout %d; this one knows %d and %d): use that one",
			head.Version, head.Layout, exportVersion, layout)
	}
	return nil
}
