package configs_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/smpp"
)

var update = flag.Bool("update", false, "write the .err files anew; then read them")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// problems takes an error to pieces; it is an *Error, or nothing at all.
func problems(t *testing.T, err error) []configs.Problem {
	t.Helper()
	if err == nil {
		return nil
	}
	var all *configs.Error
	if !errors.As(err, &all) {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	return all.Problems
}

// TestBad reads every file of testdata/bad: one mistake or a few that belong together.
// What must be said about it stands in the .err file beside it.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d bad files, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := configs.Load(file)
			for _, p := range problems(t, err) {
				if p.File != file || p.Line < 1 || p.Excerpt == "" {
					t.Errorf("no place is given by %+v", p)
				}
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			got := fmt.Sprintln(err)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("the error shows a secret")
			}
		})
	}
}

func TestFull(t *testing.T) {
	t.Setenv("BRIDGE_TEST_PASSWORD", "hunter2")
	cfg, err := configs.Load("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	number, handle := addressing.MustParseNumber, addressing.MustParseHandle
	pattern := func(s string) addressing.Pattern {
		p, err := addressing.ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	keywords := addressing.DefaultKeywords()
	keywords[addressing.KeywordStop] = append(keywords[addressing.KeywordStop], "halt")
	want := &configs.Config{
		DataDir: "testdata/data", DrainTimeout: 30 * time.Second,
		Log: configs.Log{Level: zerolog.DebugLevel, Console: true},
		Ops: configs.Ops{Listen: "0.0.0.0:9191", Insecure: true},
		Queue: configs.Queue{
			Durability: configs.DurabilityProcess, Listen: "[::1]:4333", MinFree: 200 << 20, Replicas: 1,
			MaxBytes: configs.Sizes{MT: 2 << 30, MO: 512 << 20, OUT: 1 << 20, Log: 1 << 40},
			Keep:     configs.Keep{Journal: 72 * time.Hour, Log: 24 * time.Hour, Dead: 48 * time.Hour},
		},
		Numbers: configs.Numbers{
			Region: "FR", Inbox: handle("xmpp:desk@corp.example"),
			Dedicated: []configs.Dedicated{
				{Number: number("Acme"), Handle: handle("web:ann")},
				{Number: number("36180;phone-context=+33"), Handle: handle("xmpp:help@corp.example")},
			},
			Pool:   []addressing.Number{number("+33700000001"), number("+33700000002")},
			Shared: []addressing.Number{number("+33700000010")}, Prefix: "{name} writes: ",
			Inboxes:      map[addressing.Number]addressing.Handle{number("+33700000010"): {}},
			ReleaseAfter: 30 * 24 * time.Hour, Rest: 7 * 24 * time.Hour, Keywords: keywords,
		},
		Policy: bridge.Policy{
			Numbers: addressing.Rules{Valid: true, Premium: true},
			Rules: []bridge.Rule{{
				Handles: []addressing.Pattern{pattern("xmpp:boss@corp.example"), pattern("web:*")}, Networks: []string{"web", "xmpp"},
				Prefixes: []string{"33", "49"},
			}, {Deny: true}},
			Conversations: 20, OpenFor: 7 * 24 * time.Hour,
		},
		MT: configs.MT{Validity: 36 * time.Hour, MaxSegments: 6, ResendUnknown: true},
		MO: configs.MO{PartsWait: 5 * time.Minute, NobodyReply: "Wrong number.", HelpReply: "Ask us."},
		SMSCs: []configs.SMSC{{
			Name: "one", Account: "operator", Address: "127.0.0.1:2775", Bind: configs.BindTransmitter, SystemID: "12345",
			AddressRange: "^33", Version: configs.Version50, Binds: 4, BindAddress: netip.MustParseAddr("::1"),
			Statuses: map[smpp.Status]smpp.StatusRule{
				smpp.StatusThrottled: {Class: smpp.ClassTemporary}, smpp.StatusInvDstAdr: {Class: smpp.ClassThrottle},
				0x400: {Name: "NO_CREDIT", Words: "no credit left"},
			},
			SystemType: "VMA", Window: 50, Rate: 12.5, ResponseTimeout: 5 * time.Second, EnquireInterval: 15 * time.Second,
			DefaultAlphabet: configs.AlphabetLatin1, CountryCode: "33",
		}, {
			Name: "two", Account: "operator", Address: "127.0.0.1:2776", Bind: configs.BindReceiver, SystemID: "bridge",
			Version: configs.Version34, Binds: 1,
			DefaultAlphabet: configs.AlphabetLatin1, CountryCode: "33",
		}, {
			Name: "calls", Account: "calls", Bind: configs.BindReceiver, SystemID: "bridge", Version: configs.Version33, Binds: 1,
			Outbind: &configs.Outbind{Listen: "127.0.0.1:0", SystemID: "operator"}, DefaultAlphabet: configs.AlphabetGSM7,
		}},
		Routes: []configs.Route{{
			Prefix: "33", Networks: []string{"xmpp"}, Handles: []addressing.Handle{handle("web:ann")}, Targets: []configs.RouteTarget{{Name: "operator"}}, CostClass: "cheap",
		}, {
			Prefix: "262692", Operators: []string{"20801", "647"}, Targets: []configs.RouteTarget{{Name: "one", Weight: 3}, {Name: "operator", Weight: 1}},
		}},
		Portability: &configs.Portability{
			URL: "http://127.0.0.1:8081/{msisdn}?x=1", Field: "result.operator", Timeout: 500 * time.Millisecond, Keep: 7 * 24 * time.Hour, Max: 1000,
		},
		CallRecords: &configs.CallRecords{
			Output: configs.CallsToFile, Dir: "testdata/calls", MaxSize: 10 << 20, MaxAge: time.Hour, Keep: 5, MaxBytes: 8 << 20,
			Phones: configs.PhonesHashed,
		},
		Traces: &configs.Traces{Endpoint: "http://[::1]:4318/v1/traces", Sample: 0.25, Service: "sms", Instance: "one"},
		XMPP:   &configs.XMPP{Server: "127.0.0.1:5347", Domain: "sms.corp.example", Allow: []string{"*@corp.example", "bob@other.example"}},
		Web: &configs.Web{
			Listen: "localhost:0", BehindTLS: true, Users: []configs.User{{Name: "ann"}},
			Tokens: []configs.Token{{User: "ann", Hash: "sha256:" + strings.Repeat("0f", 32)}},
		},
	}
	if cfg.Source.File != "testdata/full.yaml" {
		t.Errorf("it was read from %q", cfg.Source.File)
	}
	cfg.Source = configs.Source{}
	ignore := cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().Type() == reflect.TypeFor[configs.Secret]()
	}, cmp.Ignore())
	byString := cmp.Comparer(func(a, b fmt.Stringer) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, cfg, ignore, byString); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	secrets := []string{cfg.SMSCs[0].Password.Reveal(), cfg.SMSCs[1].Password.Reveal(), cfg.XMPP.Secret.Reveal()}
	if diff := cmp.Diff(map[string]string{"Authorization": "Bearer abc", "x-scope": "a b"}, cfg.Traces.HeaderLines()); diff != "" {
		t.Errorf("headers of traces: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"hunter2", "from a file", "two\nlines\n"}, secrets); diff != "" {
		t.Errorf("secrets: -want +got:\n%s", diff)
	}
}

func TestLoadNoFile(t *testing.T) {
	_, err := configs.Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSecretStaysSecret(t *testing.T) {
	type wrapper struct{ s configs.Secret }
	s := configs.NewSecret("hunter2")
	asJSON, err := json.Marshal(map[string]any{"a": s, "b": &s})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"a": s})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	logger := zerolog.New(&log)
	logger.Info().Interface("a", s).Stringer("b", s).Any("c", wrapper{s}).Msg("x")
	for name, text := range map[string]string{
		"json": string(asJSON), "yaml": string(asYAML), "log": log.String(),
		"v": fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), "inside": fmt.Sprintf("%v %+v %#v", wrapper{s}, &wrapper{s}, wrapper{s}),
	} {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
	if s.Reveal() != "hunter2" || s.IsZero() || !(configs.Secret{}).IsZero() || (configs.Secret{}).Reveal() != "" {
		t.Error("Reveal or IsZero is wrong")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(configs.Example)
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range bad {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := configs.Parse("fuzz.yaml", []byte(text))
		if (cfg == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", cfg, err)
		}
		for _, p := range problems(t, err) {
			if p.String() == "" || p.Text == "" {
				t.Errorf("an empty problem: %+v", p)
			}
		}
	})
}
