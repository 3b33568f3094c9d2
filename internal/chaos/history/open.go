package history

// Open lists the texts that have not come to their end: what was accepted and has no final
// state yet, and what a phone wrote and its user has not seen.
func Open(h History) []Text {
	open := make(map[Text]bool)
	ended := make(map[Text]bool)
	var order []Text
	for _, e := range h.Events {
		begins := e.Kind == Accepted || e.Kind == Wrote
		ends := e.Kind == Told && final[e.State] || e.Kind == Seen
		switch {
		case ends:
			ended[e.Text] = true
		case begins && !open[e.Text]:
			open[e.Text] = true
			order = append(order, e.Text)
		}
	}
	var left []Text
	for _, t := range order {
		if !ended[t] {
			left = append(left, t)
		}
	}
	return left
}
