package addressing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// rank orders the pool for a handle and a phone by rendezvous hashing: the highest
// score first. Every instance computes the same order without asking, and a Number
// that joins or leaves the pool moves only the pairs whose first choice it is.
func rank(pool []Number, h Handle, phone MSISDN) []Number {
	type scored struct {
		number Number
		score  uint64
	}
	all := make([]scored, len(pool))
	for i, n := range pool {
		sum := sha256.Sum256([]byte(h.String() + "\x00" + phone.String() + "\x00" + n.String()))
		all[i] = scored{n, binary.BigEndian.Uint64(sum[:])}
	}
	slices.SortFunc(all, func(a, b scored) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return cmp.Compare(a.number.String(), b.number.String())
	})
	ranked := make([]Number, len(all))
	for i, s := range all {
		ranked[i] = s.number
	}
	return ranked
}
