package configs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"smsbridge/addressing"
	"smsbridge/configs"
)

func TestExampleLoads(t *testing.T) {
	cfg, err := configs.Load("smsbridge.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DataDir != "/var/lib/smsbridge" || cfg.DrainTimeout != 20*time.Second || cfg.Ops.Listen != "127.0.0.1:9090" {
		t.Errorf("the example reads as %+v", cfg)
	}
	if len(cfg.Numbers.Pool) != 2 || cfg.Numbers.Pool[0] != addressing.MustParseNumber("+33700000001") {
		t.Errorf("pool is %v", cfg.Numbers.Pool)
	}
	if l := cfg.SMSCs[0]; l.Account != "main" || l.Password.Reveal() != "change-me" || l.TLS != nil || l.DefaultAlphabet != configs.AlphabetGSM7 {
		t.Errorf("the link reads as %+v", l)
	}
	if configs.Example == "" {
		t.Error("the example is not embedded")
	}
}

// commented finds a line that is a setting behind a #, as against a sentence.
var commented = regexp.MustCompile(`^(\s*)#(- \{|"?[A-Za-z0-9_]+"?:( |$))`)

// TestExampleUncommented takes the # away from every setting: each that the example
// mentions must exist and have a value that could stand there.
func TestExampleUncommented(t *testing.T) {
	lines := strings.Split(configs.Example, "\n")
	for i, line := range lines {
		lines[i] = commented.ReplaceAllString(line, "$1$2")
	}
	_, err := configs.Parse("smsbridge.example.yaml", []byte(strings.Join(lines, "\n")))
	// What cannot hold at once, or needs files that are not here.
	expected := []string{
		"queue.credentials_file: cannot be read", "queue.durability: is for the server inside", "queue.listen: is for the server inside",
		"queue.min_free: is for the server inside", "queue.remembered_phones: is for the server inside", "smsc[0].tls.ca_file: cannot be read", "smsc[0].tls.cert_file: cannot be read",
		"smsc[0].tls.key_file: cannot be read", "xmpp.secret_file: cannot be read", "smsc[0].system_type: is empty",
		"xmpp.tls.ca_file: cannot be read", "xmpp.tls.cert_file: cannot be read", "xmpp.tls.key_file: cannot be read",
		"smsc[0].address_range: is empty", "smsc[0].address: is not used with outbind", "smsc[0].tls: cannot be used with outbind",
		"portability.token_file: cannot be read", "call_records.keep_for: is for output: nats", "call_records.key_file: is for phones: hashed", "traces.headers_file: cannot be read",
	}
	for _, p := range problems(t, err) {
		known := false
		for _, e := range expected {
			known = known || strings.HasPrefix(p.Path+": "+p.Text, e)
		}
		if !known {
			t.Error(p)
		}
	}
}

// unknownSettings asks the parser which settings there are, by way of the unknown one
// that it refuses in each section.
func unknownSettings(t *testing.T) []configs.Problem {
	const wrong = `
unheard_of: 1
log: {unheard_of: 1}
ops: {unheard_of: 1}
queue: {unheard_of: 1, max_bytes: {unheard_of: 1}, keep: {unheard_of: 1}, max_messages: {unheard_of: 1}}
numbers: {unheard_of: 1, dedicated: [{unheard_of: 1}], first_contact: [{unheard_of: 1}], keywords: {unheard_of: 1}}
policy: {unheard_of: 1, rules: [{unheard_of: 1}]}
mt: {unheard_of: 1}
mo: {unheard_of: 1}
smsc: [{unheard_of: 1, tls: {unheard_of: 1}, outbind: {unheard_of: 1}, statuses: {"0x400": {unheard_of: 1}}}]
routes: [{unheard_of: 1}]
portability: {unheard_of: 1}
call_records: {unheard_of: 1}
traces: {unheard_of: 1}
xmpp: {unheard_of: 1, tls: {unheard_of: 1}}
web: {unheard_of: 1, users: [{unheard_of: 1}], tokens: [{unheard_of: 1}]}
`
	_, err := configs.Parse("wrong.yaml", []byte(wrong))
	var found []configs.Problem
	for _, p := range problems(t, err) {
		if strings.Contains(p.Text, "the settings here are ") {
			found = append(found, p)
		}
	}
	return found
}

// TestExampleMentionsAll looks for each setting that the parser knows in the example.
func TestExampleMentionsAll(t *testing.T) {
	sections := unknownSettings(t)
	for _, p := range sections {
		_, settings, _ := strings.Cut(p.Text, "the settings here are ")
		for s := range strings.SplitSeq(settings, ", ") {
			if !regexp.MustCompile(`[#{\s]`+s+`(_file)?:`).MatchString(configs.Example) && !strings.HasSuffix(s, "_file") {
				t.Errorf("the example does not mention %s of %s", s, strings.TrimSuffix(p.Path, "unheard_of"))
			}
		}
	}
	if len(sections) != 28 {
		t.Errorf("%d sections listed their settings, want 28", len(sections))
	}
}

func TestExamplesOfREADME(t *testing.T) {
	t.Setenv("SMSC_PASSWORD", "from the environment")
	t.Setenv("XMPP_SECRET", "from there too")
	entries, err := os.ReadDir("examples")
	if err != nil || len(entries) < 2 {
		t.Fatalf("%d examples, error %v", len(entries), err)
	}
	for _, e := range entries {
		cfg, err := configs.Load("examples/" + e.Name())
		if err != nil {
			t.Error(err)
			continue
		}
		if got := cfg.SMSCs[0].Password.Reveal(); got != "from the environment" {
			t.Errorf("%s: password is %q", e.Name(), got)
		}
	}
}
