package history

// Figures are how much happened.
type Figures struct {
	Accepted, Submits  int
	Ended              map[string]int // by final state
	Again              int            // segments that were submitted although the phone may have had them
	ToldTwice          int            // final states that came again, as after a crash they may
	Wrote, Taken, Seen int
}

// Count counts what happened. Repeats count once, but for submits.
func Count(h History) Figures {
	f := Figures{Ended: make(map[string]int)}
	type step struct {
		kind Kind
		text Text
		part int
	}
	once := make(map[step]bool)
	doubtful := make(map[step]bool)
	for _, e := range h.Events {
		k := step{e.Kind, e.Text, e.Part}
		first := !once[k]
		switch {
		case e.Kind == Submit:
			f.Submits++
			if doubtful[k] {
				f.Again++
			}
			doubtful[k] = e.Taken || e.Answer == ""
		case e.Kind == Told && !final[e.State]:
			continue
		case e.Kind == Told && !first:
			f.ToldTwice++
		case e.Kind == Told:
			f.Ended[e.State]++
		case !first:
		case e.Kind == Accepted:
			f.Accepted++
		case e.Kind == Wrote:
			f.Wrote++
		case e.Kind == Taken:
			f.Taken++
		case e.Kind == Seen:
			f.Seen++
		}
		once[k] = true
	}
	return f
}
