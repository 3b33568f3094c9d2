package web_test

import (
	"regexp"
	"strings"
	"testing"

	"smsbridge/messenger/web"
)

func TestHashPassword(t *testing.T) {
	hash, err := web.HashPassword("caf\u00e9")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("HashPassword = %s", hash)
	}
	for password, want := range map[string]bool{"caf\u00e9": true, "cafe\u0301": true, "cafe": false, "": false} {
		if got, err := web.VerifyPassword(hash, password); err != nil || got != want {
			t.Errorf("VerifyPassword(%q) = %v, %v; want %v", password, got, err, want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", 1025)} {
		if _, err := web.HashPassword(bad); err == nil {
			t.Errorf("HashPassword took a password of %d bytes", len(bad))
		}
	}
}

func TestBadHashes(t *testing.T) {
	for name, hash := range map[string]string{
		"empty":          "",
		"bcrypt":         "$2y$10$abcdefghijklmnopqrstuv",
		"argon2i":        strings.Replace(annHash, "argon2id", "argon2i", 1),
		"old version":    strings.Replace(annHash, "v=19", "v=16", 1),
		"no memory":      strings.Replace(annHash, "m=64", "m=0", 1),
		"too much":       strings.Replace(annHash, "m=64", "m=4294967296", 1),
		"too slow":       strings.Replace(annHash, "t=1", "t=1000", 1),
		"no threads":     strings.Replace(annHash, "p=1", "p=0", 1),
		"cut off":        annHash[:len(annHash)-30],
		"not base64":     annHash[:len(annHash)-1] + "!",
		"something more": annHash + "$x",
	} {
		if ok, err := web.VerifyPassword(hash, "correct horse"); ok || err == nil {
			t.Errorf("%s: VerifyPassword = %v, %v", name, ok, err)
		} else if len(hash) > 60 && strings.Contains(err.Error(), hash[len(hash)-20:]) {
			t.Errorf("%s: the error has the hash in it: %v", name, err)
		}
	}
}

func TestNewToken(t *testing.T) {
	token, hash := web.NewToken()
	other, _ := web.NewToken()
	if !regexp.MustCompile(`^smsb_[A-Za-z0-9_-]{43}$`).MatchString(token) || !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(hash) || token == other {
		t.Errorf("NewToken = %q, %q", token, hash)
	}
}
