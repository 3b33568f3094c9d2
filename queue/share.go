package queue

import "slices"

// shareOut says which of the free lanes me takes, and which of its own it gives away, so
// that each live instance comes to hold as many as any other, or one more. owners has the
// holder of each lane, "" where nobody holds it; live is sorted and has me.
//
// Each instance decides for itself and the store lets one of them have a lane, so that
// the shares come out right whatever each has seen; lanes that need not move do not.
func shareOut(me string, live, owners []string) (take, give []int) {
	count := make(map[string]int, len(live))
	for _, id := range live {
		count[id] = 0
	}
	var free, mine []int
	for lane, owner := range owners {
		switch owner {
		case "":
			free = append(free, lane)
		case me:
			mine = append(mine, lane)
		}
		if _, counts := count[owner]; counts {
			count[owner]++
		}
	}
	least := len(owners) / len(live)
	most := (len(owners) + len(live) - 1) / len(live)
	if len(mine) > most {
		return nil, mine[most:]
	}
	if len(free) > 0 {
		// Each begins elsewhere, so that they seldom want the same.
		from := slices.Index(live, me) * len(free) / len(live)
		wanted := most
		if poor(live, count, least, me) {
			wanted = least // what is beyond that is for those who have less
		}
		for i := range min(len(free), max(0, wanted-len(mine))) {
			take = append(take, free[(from+i)%len(free)])
		}
		return take, nil
	}
	if len(mine) > least && gives(me, live, count, least) {
		return nil, mine[len(mine)-1:]
	}
	return nil, nil
}

// gives tells whether me is the one that gives a lane to an instance which has too few:
// the first of those that have the most.
func gives(me string, live []string, count map[string]int, least int) bool {
	if !poor(live, count, least, me) {
		return false
	}
	richest := slices.MaxFunc(live, func(a, b string) int { return count[a] - count[b] }) // the first of equals
	return richest == me
}

// poor tells whether an instance other than me has too few.
func poor(live []string, count map[string]int, least int, me string) bool {
	return slices.ContainsFunc(live, func(id string) bool { return id != me && count[id] < least })
}
