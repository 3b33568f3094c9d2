package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// A token is random and long, so a fast hash keeps it: there is nothing to guess.
const (
	tokenPrefix     = "smsb_" // makes a leaked token findable
	tokenHashPrefix = "sha256:"
	tokenLength     = 32 // octets
)

// NewToken makes a bearer token of 256 random bits and its hash for [Token.Hash]. The
// token is shown once, to whom it is for; the configuration keeps the hash.
func NewToken() (token, hash string) {
	b := make([]byte, tokenLength)
	rand.Read(b) // never fails: crypto/rand
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
	sum := sha256.Sum256([]byte(token))
	return token, tokenHashPrefix + hex.EncodeToString(sum[:])
}

func parseTokenHash(s string) (sum [sha256.Size]byte, err error) {
	digits, found := strings.CutPrefix(s, tokenHashPrefix)
	b, err := hex.DecodeString(digits)
	if !found || err != nil || len(b) != len(sum) {
		// What was given is not repeated: it may be the token itself.
		return sum, fmt.Errorf("is not of the form %s and 64 hexadecimal digits", tokenHashPrefix)
	}
	return [sha256.Size]byte(b), nil
}
