package configs

import (
	"fmt"
	"io"
)

// Secret is a text that is never shown: whoever prints, logs or marshals it gets
// "[secret]". The zero value is no secret.
type Secret struct {
	// A pointer, so that fmt cannot reach the text even where it may not call Format:
	// in an unexported field of another struct.
	value *string
}

// NewSecret hides s.
func NewSecret(s string) Secret { return Secret{value: &s} }

// hidden is what stands for a secret.
const hidden = "[secret]"

// Reveal gives the text itself, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil || *s.value == "" }

// String hides the text.
func (s Secret) String() string { return hidden }

// Format hides the text, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
