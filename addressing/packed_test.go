package addressing_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"smsbridge/addressing"
)

// TestPackedForgetsNothing fills every field of a record that there is, those that
// somebody adds tomorrow included, and wants each back.
func TestPackedForgetsNothing(t *testing.T) {
	numbers := []addressing.Number{
		addressing.MustParseNumber("+33700000001"), addressing.MustParseNumber("36180;phone-context=+33"), addressing.MustParseNumber("Acme"), {},
	}
	handles := []addressing.Handle{
		addressing.MustParseHandle("web:ann"), addressing.MustParseHandle("xmpp:bob@corp.example"), addressing.MustParseHandle("matrix:@ann:corp.example"), {},
	}
	rapid.Check(t, func(t *rapid.T) {
		var r addressing.Record
		fill(t, reflect.ValueOf(&r).Elem(), map[reflect.Type]func() any{
			reflect.TypeFor[addressing.Number](): func() any { return rapid.SampledFrom(numbers).Draw(t, "number") },
			reflect.TypeFor[addressing.Handle](): func() any { return rapid.SampledFrom(handles).Draw(t, "handle") },
			reflect.TypeFor[time.Time](): func() any {
				if rapid.Bool().Draw(t, "no time") {
					return time.Time{}
				}
				return time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "nanoseconds")).UTC()
			},
		})
		got := addressing.Unpack(r.Packed())
		exact := cmp.Comparer(func(x, y addressing.Number) bool { return x == y })
		if d := cmp.Diff(r, got, exact, cmp.Comparer(func(x, y addressing.Handle) bool { return x == y })); d != "" {
			t.Fatalf("what was packed (-) is not what comes back (+):\n%s", d)
		}
	})
}

// fill draws a value for v and all that is in it.
func fill(t *rapid.T, v reflect.Value, known map[reflect.Type]func() any) {
	if draw, is := known[v.Type()]; is {
		v.Set(reflect.ValueOf(draw()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, known)
		}
	case reflect.Slice:
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(t, item, known)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), known)
		}
	case reflect.Int:
		v.SetInt(int64(rapid.Int().Draw(t, "int")))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	default:
		t.Fatalf("this test does not know how to fill a %s: teach it, and Packed", v.Type())
	}
}

func BenchmarkUnpack(b *testing.B) {
	now := time.Now().UTC()
	r := addressing.Record{V: 2, Entries: []addressing.Entry{{
		Number: pool[0], Handle: addressing.MustParseHandle("xmpp:user1234567@corp.example"), Created: now, LastUsed: now,
	}}}
	packed := r.Packed()
	for b.Loop() {
		if addressing.Unpack(packed).Entries[0].Number != pool[0] {
			b.Fatal("another record")
		}
	}
	b.ReportMetric(float64(len(packed)), "B/record")
}
