package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// file reads the sections of one file into cfg.
type file struct {
	*reader
	dir string // where relative paths start
	cfg *Config
	// later are checks across sections, made once everything is read.
	later []func()
}

func (f *file) read(root *section) {
	defer root.close()
	c := f.cfg
	c.DataDir = f.path(need(root, "data_dir", anyText, "say in which folder the daemon keeps its messages, such as /var/lib/smsbridge"))
	c.DrainTimeout = read(root, "drain_timeout", duration(time.Second, 10*time.Minute), 20*time.Second)
	c.Log = Log{Level: zerolog.InfoLevel}
	f.within(root, "log", f.readLog)
	c.Ops = Ops{Listen: "127.0.0.1:9090"}
	f.within(root, "ops", f.readOps)
	f.within(root, "queue", f.readQueue)
	if !f.within(root, "numbers", f.readNumbers) {
		root.get("numbers").missing("give the bridge its own numbers: numbers.pool, numbers.dedicated or both")
	}
	f.within(root, "policy", f.readPolicy)
	f.within(root, "mt", f.readMT)
	f.within(root, "mo", f.readMO)
	f.readSMSCs(root.get("smsc"))
	f.readRoutes(root.get("routes"))
	f.within(root, "portability", f.readPortability)
	f.within(root, "call_records", f.readCalls)
	f.within(root, "traces", f.readTraces)
	f.within(root, "xmpp", f.readXMPP)
	f.within(root, "web", f.readWeb)
	if c.XMPP == nil && c.Web == nil {
		root.problemf("no messenger is configured: add a section xmpp or web")
	}
}

// check makes the checks that need more than one section.
func (f *file) check() {
	for _, check := range f.later {
		check()
	}
}

// within reads the section key of s by read, if it is there, and reports the settings
// that read did not ask for. It tells whether the section is there, right or wrong.
func (f *file) within(s *section, key string, read func(*section)) bool {
	v := s.get(key)
	if !v.given() {
		return false
	}
	if sub, ok := v.section(); ok {
		read(sub)
		sub.close()
	}
	return true
}

func (v value) missing(what string) {
	if !v.given() {
		v.problemf("is missing: %s", what)
	}
}

// path joins a relative path to the folder of the file.
func (f *file) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(f.dir, p)
}

var envPattern = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// secret reads a secret from the setting key, which may be ${NAME}, or from the file
// that key_file names. No problem that it notes has the secret in it.
func (f *file) secret(s *section, key, without string) Secret {
	inline, inFile := s.get(key), s.get(key+"_file")
	switch {
	case inline.given() && inFile.given():
		inFile.problemf("is set, and so is %s: keep one of the two", key)
		return Secret{}
	case inFile.given():
		return f.secretFile(inFile)
	case !inline.given():
		inline.problemf("is missing: %s; write it here, as ${NAME} of an environment variable, or in a file that %s_file names", without, key)
		return Secret{}
	}
	text, ok := inline.text()
	if !ok {
		return Secret{}
	}
	if env := envPattern.FindStringSubmatch(text); env != nil {
		if text = os.Getenv(env[1]); text == "" {
			inline.problemf("the environment variable %s is not set or empty: set it for the daemon", env[1])
		}
		return NewSecret(text)
	}
	if text == "" {
		inline.problemf("is empty: %s", without)
	}
	return NewSecret(text)
}

// secretFile reads a secret from a file; the line end after it is not part of it.
func (f *file) secretFile(v value) Secret {
	name, ok := parseValue(v, anyText)
	if !ok {
		return Secret{}
	}
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		v.problemf("cannot be read: %s", fileError(err))
		return Secret{}
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" {
		v.problemf("the file %s is empty: write the secret into it", name)
	}
	return NewSecret(text)
}

// readable reads the name of a file that must be readable.
func (f *file) readable(s *section, key string) string {
	v := s.get(key)
	if !v.given() {
		return ""
	}
	name, ok := parseValue(v, anyText)
	if !ok {
		return ""
	}
	name = f.path(name)
	if _, err := os.ReadFile(name); err != nil {
		v.problemf("cannot be read: %s", fileError(err))
		return ""
	}
	return name
}
