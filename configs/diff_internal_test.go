package configs

import (
	"crypto/tls"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A file that is read twice has not changed, whatever it sets.
func TestDiffOfTheSame(t *testing.T) {
	t.Setenv("BRIDGE_TEST_PASSWORD", "hunter2")
	for _, file := range []string{"testdata/full.yaml", "testdata/minimal.yaml"} {
		one, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		other, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if changes := Diff(one, other); len(changes) > 0 {
			t.Errorf("%s: %v", file, changes)
		}
	}
}

// Each setting by which two files differ is told by its name in the file, and no secret is.
func TestDiff(t *testing.T) {
	t.Setenv("BRIDGE_TEST_PASSWORD", "hunter2")
	tests := []struct {
		name    string
		change  func(*Config)
		want    string
		restart bool
	}{
		{"a number", func(c *Config) { c.SMSCs[0].Window = 77 }, "smsc.one.window: 77, was 50", false},
		{"what was not set", func(c *Config) { c.SMSCs[0].Rate = 0 }, "smsc.one.rate: not set, was 12.5", false},
		{"a duration", func(c *Config) { c.MT.Validity = time.Hour }, "mt.validity: 1h, was 36h", false},
		{"the level", func(c *Config) { c.Log.Level = zerolog.WarnLevel }, "log.level: warn, was debug", false},
		{"a secret", func(c *Config) { c.SMSCs[0].Password = NewSecret("other") }, "smsc.one.password: changed", false},
		{"TLS", func(c *Config) { c.SMSCs[0].TLS = &tls.Config{} }, "smsc.one.tls: set, was not set", false},
		{"a link that is gone", func(c *Config) { c.SMSCs = c.SMSCs[1:] }, "smsc.one: not set, was set", false},
		{"the order of links", func(c *Config) { c.SMSCs = slices.Clone(c.SMSCs); slices.Reverse(c.SMSCs) }, "smsc: calls two one, was one two calls", false},
		{"a list", func(c *Config) { c.Routes = c.Routes[:1] }, "routes: 1 entry, was 2 entries", false},
		{"a list of as many", func(c *Config) { c.Routes = slices.Clone(c.Routes); c.Routes[0].Prefix = "44" }, "routes: changed", false},
		{"which numbers", func(c *Config) { c.Policy.Numbers.Valid = false }, "numbers.accept: false, was true", false},
		{"a field of submit_sm", func(c *Config) { c.SMSCs[0].Fields.Flash = !c.SMSCs[0].Fields.Flash }, "smsc.one.flash: ", false},
		{"a user", func(c *Config) { c.Web.Users[0].PasswordHash = NewSecret("x") }, ".password_hash: changed", false},
		{"a section that is gone", func(c *Config) { c.Portability = nil }, "portability: not set, was set", false},
		{"a URL with a password", func(c *Config) { c.Queue.URL = "nats://ann:hunter2@one" }, "queue.url: nats://[secret]@one, was not set", true},
		{"the folder", func(c *Config) { c.DataDir = "/elsewhere" }, "data_dir: /elsewhere, was", true},
		{"a listener", func(c *Config) { c.Web.Listen = "127.0.0.1:1" }, "web.listen: 127.0.0.1:1, was localhost:0", true},
		{"a messenger that is gone", func(c *Config) { c.Web = nil }, "web: not set, was set", true},
		{"people of XMPP", func(c *Config) { c.XMPP.Allow = nil }, "xmpp.allow: 0 entries", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before, err := Load("testdata/full.yaml")
			if err != nil {
				t.Fatal(err)
			}
			after, _ := Load("testdata/full.yaml")
			test.change(after)
			changes := Diff(before, after)
			if len(changes) != 1 || !strings.Contains(changes[0].String(), test.want) || changes[0].NeedsRestart() != test.restart {
				t.Errorf("got %v", changes)
			}
			if len(changes) > 0 && strings.Contains(changes[0].String(), "hunter2") {
				t.Errorf("it shows a secret: %v", changes)
			}
		})
	}
}

// Every setting is called as in the example, so that an operator finds it.
func TestDiffNamesAreThoseOfTheFile(t *testing.T) {
	// A plain list or map is one setting; what a struct has is settings of its own.
	var walk func(path string, v reflect.Type)
	walk = func(path string, v reflect.Type) {
		switch {
		case v == reflect.TypeFor[Source]():
			return // no setting
		case v == reflect.TypeFor[Secret](), v == reflect.TypeFor[*tls.Config](), v.Implements(reflect.TypeFor[interface{ String() string }]()):
		case v.Kind() == reflect.Pointer, v.Kind() == reflect.Slice && v.Elem().Kind() == reflect.Struct && hasName(v.Elem()):
			walk(path, v.Elem())
			return
		case v.Kind() == reflect.Struct:
			for field := range v.Fields() {
				name := settingName(v, field.Name)
				if name == "" {
					name = path
				}
				walk(name, field.Type)
			}
			return
		}
		key := path[strings.LastIndexAny(path, "./")+1:]
		if !regexp.MustCompile(`(?m)(^|[ #{,-])` + key + `(_file)?:`).MatchString(Example) {
			t.Errorf("%q is no setting of the example", path)
		}
	}
	walk("", reflect.TypeFor[Config]())
}

func hasName(t reflect.Type) bool {
	_, ok := t.FieldByName("Name")
	return ok
}
