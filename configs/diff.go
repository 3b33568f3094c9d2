package configs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"
)

// Change is a setting that two configurations have different values of.
type Change struct {
	Setting string // as in the file, with names in place of numbers: smsc.main.window
	// From and To are the values, a list as the number of its entries; secrets are hidden.
	From, To string
}

// String writes the change for people.
func (c Change) String() string {
	if c.From == c.To {
		return c.Setting + ": changed"
	}
	return fmt.Sprintf("%s: %s, was %s", c.Setting, c.To, c.From)
}

// NeedsRestart tells whether the setting is read once, when the daemon starts.
func (c Change) NeedsRestart() bool {
	for _, prefix := range []string{
		"data_dir", "drain_timeout", "log.format", "ops", "queue", "numbers.region", "call_records", "traces", "xmpp", "web.listen", "web.insecure", "web.behind_tls",
	} {
		if rest, ok := strings.CutPrefix(c.Setting, prefix); ok && (rest == "" || rest[0] == '.') {
			return true
		}
	}
	return c.Setting == "web" // the section came or went
}

// Of the words for a value that is not one of a file.
const (
	notSet  = "not set"
	present = "set"
)

// Diff gives the settings by which to differs from from, in the order of [Config].
func Diff(from, to *Config) []Change {
	d := &differ{}
	a, b := *from, *to
	a.Source, b.Source = Source{}, Source{} // no setting
	d.structs("", reflect.ValueOf(a), reflect.ValueOf(b))
	return d.all
}

// settingNames are the fields that the file calls otherwise; an empty name puts the settings within
// beside those around them, and one that begins with a slash is the whole.
var settingNames = map[string]string{
	"Config.SMSCs": "smsc", "Log.Console": "format", "MT.ResendUnknown": "unknown", "Numbers.Inboxes": "first_contact",
	"Policy.Conversations": "max_conversations", "Policy.Numbers": "", "Rules.Valid": "/numbers.accept", "Rules.Premium": "/numbers.premium_rate", "Rules.Short": "/numbers.short_numbers",
	"SMSC.Version": "interface_version", "SMSC.Text": "", "SMSC.Fields": "", "Portability.Max": "max_numbers", "TextConfig.Alphabet": "default_alphabet",
	"FieldsConfig.TLVs": "tlvs", "TextConfig.Smart": "smart_replacement", "FieldsConfig.NoReceipts": "receipts", "FieldsConfig.ConstantIDs": "message_ids",
}

// settingName is what the file calls a field of t.
func settingName(t reflect.Type, field string) string {
	if name, given := settingNames[t.Name()+"."+field]; given {
		return name
	}
	var b strings.Builder
	runes := []rune(field)
	for i, r := range runes {
		// A word begins at a capital after a small letter, or before one: SystemID, IDFormat.
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// differ gathers changes.
type differ struct{ all []Change }

func (d *differ) note(path, from, to string) {
	d.all = append(d.all, Change{Setting: path, From: from, To: to})
}

func (d *differ) structs(path string, from, to reflect.Value) {
	for i := range from.NumField() {
		name := settingName(from.Type(), from.Type().Field(i).Name)
		switch {
		case name == "":
			name = path
		case name[0] == '/':
			name = name[1:]
		case path != "":
			name = path + "." + name
		}
		d.values(name, from.Field(i), to.Field(i))
	}
}

func (d *differ) values(path string, from, to reflect.Value) {
	switch a := from.Interface().(type) {
	case Secret:
		if a.Reveal() != to.Interface().(Secret).Reveal() {
			d.note(path, hidden, hidden)
		}
		return
	case *tls.Config:
		if b := to.Interface().(*tls.Config); !sameTLS(a, b) {
			d.note(path, given(a != nil), given(b != nil))
		}
		return
	case time.Duration, fmt.Stringer:
		d.leaf(path, from, to)
		return
	}
	switch from.Kind() {
	case reflect.Pointer:
		switch {
		case from.IsNil() != to.IsNil():
			d.note(path, given(!from.IsNil()), given(!to.IsNil()))
		case !from.IsNil():
			d.values(path, from.Elem(), to.Elem())
		}
	case reflect.Struct:
		d.structs(path, from, to)
	case reflect.Slice, reflect.Map:
		d.lists(path, from, to)
	default:
		d.leaf(path, from, to)
	}
}

// leaf compares values that can be shown.
func (d *differ) leaf(path string, from, to reflect.Value) {
	if reflect.DeepEqual(from.Interface(), to.Interface()) {
		return
	}
	d.note(path, wordFor(from), wordFor(to))
}

// wordFor is a value as a log may have it.
func wordFor(v reflect.Value) string {
	if level, ok := reflect.TypeAssert[zerolog.Level](v); ok {
		return level.String()
	}
	if v.IsZero() && v.Kind() != reflect.Bool {
		return notSet
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return brief(d) // as the file has it
	}
	return HideSecrets(fmt.Sprint(v.Interface()))
}

func given(is bool) string {
	if is {
		return present
	}
	return notSet
}

// lists compares entries by their names where they have some, and otherwise as a whole.
func (d *differ) lists(path string, from, to reflect.Value) {
	named := false
	if from.Kind() == reflect.Slice && from.Type().Elem().Kind() == reflect.Struct {
		field, ok := from.Type().Elem().FieldByName("Name")
		named = ok && field.Type.Kind() == reflect.String
	}
	if !named {
		if !reflect.DeepEqual(from.Interface(), to.Interface()) && from.Len()+to.Len() > 0 {
			d.note(path, entries(from.Len()), entries(to.Len()))
		}
		return
	}
	old := byName(from)
	var order []string
	for i := range to.Len() {
		entry := to.Index(i)
		name := entry.FieldByName("Name").String()
		order = append(order, name)
		if before, known := old[name]; known {
			d.values(path+"."+name, before, entry)
		} else {
			d.note(path+"."+name, notSet, present)
		}
	}
	var was []string
	for i := range from.Len() {
		name := from.Index(i).FieldByName("Name").String()
		if slices.Contains(order, name) {
			was = append(was, name)
		} else {
			d.note(path+"."+name, present, notSet)
		}
	}
	order = slices.DeleteFunc(order, func(name string) bool { return !slices.Contains(was, name) })
	if !slices.Equal(was, order) {
		d.note(path, strings.Join(was, " "), strings.Join(order, " "))
	}
}

func byName(list reflect.Value) map[string]reflect.Value {
	all := make(map[string]reflect.Value, list.Len())
	for i := range list.Len() {
		all[list.Index(i).FieldByName("Name").String()] = list.Index(i)
	}
	return all
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// sameTLS compares what readTLS sets.
func sameTLS(a, b *tls.Config) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ServerName == b.ServerName && a.MinVersion == b.MinVersion && samePool(a.RootCAs, b.RootCAs) &&
		slices.EqualFunc(a.Certificates, b.Certificates, func(x, y tls.Certificate) bool {
			return slices.EqualFunc(x.Certificate, y.Certificate, slices.Equal[[]byte])
		})
}

func samePool(a, b *x509.CertPool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(b)
}
