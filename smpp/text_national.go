package smpp

import (
	"fmt"

	"github.com/warthog618/sms/encoding/gsm7/charset"
)

// Language is a language that GSM 7-bit has national tables for (3GPP TS 23.038, 6.2.1.2
// and Annex A). Texts leave in these three; all thirteen are read.
type Language string

// The languages in which texts may leave.
const (
	Turkish    Language = "turkish"
	Spanish    Language = "spanish"
	Portuguese Language = "portuguese"
)

// shift is a choice of national tables: a single shift table, which stands in for
// the extension, a locking shift table, which stands in for the default alphabet, or both.
type shift struct {
	name     string
	tables   nationalTables
	set, ext charset.Encoder
}

// shifts are the choices for each language, the one with the shortest header first. They
// are made before there is a second goroutine; see gsmEncode.
var shifts = map[Language][]shift{
	Turkish:    shiftsOf(Turkish, charset.Turkish, true),
	Spanish:    shiftsOf(Spanish, charset.Spanish, false), // it has no locking shift table
	Portuguese: shiftsOf(Portuguese, charset.Portuguese, true),
}

func shiftsOf(l Language, id int, locking bool) []shift {
	name := "gsm7-" + string(l)
	all := []shift{{name, nationalTables{single: id}, gsmEncode, charset.NewExtEncoder(id)}}
	if locking {
		all = append(all,
			shift{name, nationalTables{locking: id}, charset.NewEncoder(id), gsmExtEncode},
			shift{name, nationalTables{locking: id, single: id}, charset.NewEncoder(id), charset.NewExtEncoder(id)},
		)
	}
	return all
}

// elements are the information elements that name the tables (3GPP TS 23.040,
// 9.2.3.24.15 and 9.2.3.24.16).
func (t nationalTables) elements() []byte {
	var b []byte
	if t.single != 0 {
		b = append(b, elementSingleShift, lengthShift, byte(t.single))
	}
	if t.locking != 0 {
		b = append(b, elementLockingShift, lengthShift, byte(t.locking))
	}
	return b
}

// ParseLanguage reads turkish, spanish or portuguese.
func ParseLanguage(s string) (Language, error) {
	l := Language(s)
	if _, ok := shifts[l]; !ok {
		return "", fmt.Errorf("smpp: %q is not a language with national tables to send in: use turkish, spanish or portuguese", s)
	}
	return l, nil
}
