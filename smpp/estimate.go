package smpp

import (
	"slices"
	"strings"

	"github.com/rivo/uniseg"

	"smsbridge/bridge"
)

// Estimate tells what text takes as cfg has it sent, before it is sent. The error
// wraps [ErrText] or [ErrCharacters].
func Estimate(text string, cfg TextConfig) (bridge.Estimate, error) {
	c, err := encode(text, cfg)
	if err != nil || c.length() == 0 {
		return bridge.Estimate{Encoding: c.name}, err
	}
	ends := c.ends()
	alone, joined := c.rooms()
	e := bridge.Estimate{Encoding: c.name, Segments: len(ends), Units: c.length(), Left: alone - c.length()}
	if last := len(ends) - 1; last > 0 {
		e.Left = joined - (ends[last]-ends[last-1])/c.unit
	}
	if e.Segments > 1 || c.coding == CodingUCS2 {
		e.Costly = costly(c, len(ends))
	}
	return e, nil
}

// costly lists what the default alphabet lacks, or else what takes two septets in it:
// all of them together, where the text without them would take fewer segments.
func costly(c coded, segments int) []string {
	dear := func(r rune) bool { return !inAlphabet(r, c.cfg.Alphabet) }
	if c.name == "gsm7" {
		dear = func(r rune) bool { _, extension := gsmExtEncode[r]; return extension }
	}
	var found []string
	var rest strings.Builder
	text, state := c.text, -1
	for text != "" {
		var cluster string
		cluster, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		if !strings.ContainsFunc(cluster, dear) {
			rest.WriteString(cluster)
		} else if !slices.Contains(found, cluster) {
			found = append(found, cluster)
		}
	}
	if without, err := Count(rest.String(), c.cfg); err != nil || len(found) == 0 || without >= segments {
		return nil
	}
	return found
}
