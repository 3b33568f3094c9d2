package smpp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// DefaultMaxPDU is the longest PDU that is read or written, in octets: a
// message_payload has up to 64 kB (SMPP 3.4, 5.3.2.32), and the rest is small.
const DefaultMaxPDU = 70_000

// FrameError says that command_length cannot be true. Where the next PDU begins
// cannot be known then, so the connection must end.
type FrameError struct {
	Length   uint32
	Limit    int
	Sequence uint32 // zero where it was not read
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("smpp: command_length is %d; it must be %d to %d", e.Length, headerLen, e.Limit)
}

// hasFrame tells whether readFrame would not have to wait.
func hasFrame(r *bufio.Reader) bool {
	if r.Buffered() < headerLen {
		return false
	}
	size, err := r.Peek(4)
	return err == nil && uint64(binary.BigEndian.Uint32(size)) <= uint64(r.Buffered())
}

// readFrame reads one PDU as octets. It returns io.EOF where the stream ends before
// the first octet, io.ErrUnexpectedEOF within a PDU, and a [*FrameError].
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(size[:])
	if length < headerLen {
		return nil, &FrameError{Length: length, Limit: limit}
	}
	if uint64(length) > uint64(limit) {
		var rest [headerLen - len(size)]byte
		e := &FrameError{Length: length, Limit: limit}
		if _, err := io.ReadFull(r, rest[:]); err == nil {
			e.Sequence = binary.BigEndian.Uint32(rest[8:])
		}
		return nil, e
	}
	frame := make([]byte, length)
	copy(frame, size[:])
	if _, err := io.ReadFull(r, frame[len(size):]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return frame, nil
}
