package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// The cost of a new hash: the second recommendation of RFC 9106, 4, for where 2 GiB
// are too much. 64 MiB and three passes take about a tenth of a second.
const (
	hashMemory  = 64 * 1024 // KiB
	hashPasses  = 3
	hashThreads = 4
	saltLength  = 16 // octets
	hashLength  = 32 // octets
)

// The most that a configured hash may cost: 1 GiB, and a few seconds.
const (
	maxHashMemory  = 1024 * 1024 // KiB
	maxHashPasses  = 32
	maxHashThreads = 64
)

// maxPassword is the longest password in bytes.
const maxPassword = 1024

// argonHash is a hash with all that computing it again needs.
type argonHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

// HashPassword makes the hash of a password for [User.PasswordHash], in PHC string
// form: $argon2id$v=19$m=65536,t=3,p=4$salt$hash. Each call has a new salt. It needs
// 64 MiB of memory while it runs.
func HashPassword(password string) (string, error) {
	switch {
	case password == "":
		return "", errors.New("web: the password is empty")
	case len(password) > maxPassword:
		return "", fmt.Errorf("web: the password has %d bytes; at most %d are allowed", len(password), maxPassword)
	}
	salt := make([]byte, saltLength)
	rand.Read(salt) // never fails: crypto/rand
	h := argonHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: salt, sum: make([]byte, hashLength)}
	h.sum = h.of(password)
	return h.String(), nil
}

// VerifyPassword tells whether hash, in PHC string form, is that of password. It
// costs the memory and time that the hash names. An error means that hash is not of
// the form.
func VerifyPassword(hash, password string) (bool, error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	return h.matches(password), nil
}

var phcPattern = regexp.MustCompile(`^\$argon2id\$v=19\$m=([0-9]{1,10}),t=([0-9]{1,10}),p=([0-9]{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)

// errHash does not repeat the hash: it is a secret.
var errHash = errors.New("is not of the form $argon2id$v=19$m=65536,t=3,p=4$salt$hash: make one with `smsbridge user hash`")

func parseHash(s string) (argonHash, error) {
	m := phcPattern.FindStringSubmatch(s)
	if m == nil {
		return argonHash{}, errHash
	}
	memory, _ := strconv.ParseUint(m[1], 10, 64) // the pattern has digits alone
	passes, _ := strconv.ParseUint(m[2], 10, 64)
	threads, _ := strconv.ParseUint(m[3], 10, 64)
	if memory == 0 || memory > maxHashMemory || passes == 0 || passes > maxHashPasses || threads == 0 || threads > maxHashThreads {
		return argonHash{}, fmt.Errorf("costs m=%d KiB, t=%d, p=%d; allowed are 1 to %d, 1 to %d, 1 to %d: make one with `smsbridge user hash`",
			memory, passes, threads, maxHashMemory, maxHashPasses, maxHashThreads)
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(m[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(m[5])
	if saltErr != nil || sumErr != nil || len(salt) < 8 || len(sum) < 16 || len(sum) > 64 {
		return argonHash{}, errHash
	}
	return argonHash{memory: uint32(memory), passes: uint32(passes), threads: uint8(threads), salt: salt, sum: sum}, nil
}

// of computes the hash of a password. One that was typed as composed and as
// decomposed characters is the same (RFC 8265, 4.2.2).
func (h argonHash) of(password string) []byte {
	return argon2.IDKey(norm.NFC.Bytes([]byte(password)), h.salt, h.passes, h.memory, h.threads, uint32(len(h.sum)))
}

func (h argonHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.of(password), h.sum) == 1
}

// cost orders hashes by what they cost to compute.
func (h argonHash) cost() uint64 { return uint64(h.memory) * uint64(h.passes) }

func (h argonHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.sum))
}
