package web

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is wrong with JSON is said without the words of encoding/json.
func TestExplain(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"no object", `[]`, "it must be an object, and is of the type array"},
		{"another type", `{"to": 5}`, `"to" cannot be of the type number`},
		{"out of range", `{"n": 1e99}`, `"n" cannot be 1e99`},
		{"an unknown field", `{"txt": ""}`, `unknown field "txt"`},
		{"nothing", ``, "it is empty"},
		{"cut off", `{"to": "`, "it ends too early"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var v struct {
				To string `json:"to"`
				N  int    `json:"n"`
			}
			d := json.NewDecoder(strings.NewReader(tt.body))
			d.DisallowUnknownFields()
			err := d.Decode(&v)
			if err == nil {
				t.Fatal("it is no error")
			}
			if got := explain(err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
