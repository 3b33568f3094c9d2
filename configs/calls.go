package configs

import (
	"path/filepath"
	"time"
)

// CallRecords is where and how call-detail records are kept.
type CallRecords struct {
	Output  CallOutput
	Dir     string        // of files; empty for nats
	MaxSize int64         // of a file, in bytes; 0: default
	MaxAge  time.Duration // of a file; 0: default
	Keep    int           // files; 0: default
	// MaxBytes bounds what waits to be written, or with nats the stream.
	MaxBytes int64
	KeepFor  time.Duration // of the stream, with nats; otherwise 0
	Phones   CallPhones
	// Key is that of the hashes; zero unless Phones is hashed.
	Key Secret
}

// CallOutput is where call-detail records go.
type CallOutput string

// The outputs.
const (
	CallsToFile CallOutput = "file"
	CallsToNATS CallOutput = "nats"
)

// CallPhones is how phones stand in call-detail records.
type CallPhones string

// The ways of phones.
const (
	PhonesMasked CallPhones = "masked"
	PhonesHashed CallPhones = "hashed"
	PhonesPlain  CallPhones = "plain"
)

// leastKey is how long the key of hashed phones must be: there are so few phones that a short one
// can be guessed.
const leastKey = 16

func (f *file) readCalls(s *section) {
	c := &CallRecords{
		Output:   read(s, "output", oneOf(CallsToFile, CallsToNATS), CallsToFile),
		Dir:      f.path(read(s, "dir", anyText, "")),
		MaxSize:  read(s, "max_size", size, 0),
		MaxAge:   read(s, "max_age", duration(time.Minute, 365*day), 0),
		Keep:     read(s, "keep", integer(1, 100_000), 0),
		MaxBytes: read(s, "max_bytes", size, 256<<20),
		KeepFor:  read(s, "keep_for", duration(time.Hour, 3650*day), 0),
		Phones:   read(s, "phones", oneOf(PhonesMasked, PhonesHashed, PhonesPlain), PhonesMasked),
	}
	f.cfg.CallRecords = c
	foreign, other := []string{"keep_for"}, CallsToNATS
	if c.Output == CallsToNATS {
		foreign, other = []string{"dir", "max_size", "max_age", "keep"}, CallsToFile
	}
	for _, key := range foreign {
		if v := s.get(key); v.given() {
			v.problemf("is for output: %s, and the output is %s: remove one of the two", other, c.Output)
		}
	}
	switch {
	case c.Output == CallsToFile && c.Dir == "":
		c.Dir = filepath.Join(f.cfg.DataDir, "calls")
	case c.Output == CallsToNATS && c.KeepFor == 0:
		c.KeepFor = 30 * day
	}
	key := s.get("key")
	switch {
	case c.Phones == PhonesHashed:
		c.Key = f.secret(s, "key", "make one with `openssl rand -hex 32`")
		if n := len(c.Key.Reveal()); n > 0 && n < leastKey {
			key.problemf("is too short: with fewer than %d characters every phone could be found by trying; make one with `openssl rand -hex 32`", leastKey)
		}
	case key.given():
		key.problemf("is for phones: hashed, and phones are %s: say so, or remove the key", c.Phones)
	case s.get("key_file").given():
		s.get("key_file").problemf("is for phones: hashed, and phones are %s: say so, or remove the key", c.Phones)
	}
}
