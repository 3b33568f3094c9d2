package configs

import "smsbridge/smpp"

// readStatuses reads what an account means by the codes of its answers: each is a class,
// or a section with class, name and words.
func (f *file) readStatuses(v value) map[smpp.Status]smpp.StatusRule {
	if !v.given() {
		return nil
	}
	s, ok := v.section()
	if !ok {
		return nil
	}
	all := make(map[smpp.Status]smpp.StatusRule, len(s.entries))
	seen := make(map[smpp.Status]string)
	for _, key := range s.keys() {
		status, err := smpp.ParseStatus(key)
		if err != nil {
			v.r.problem(v.path, s.entries[key].key, err.Error())
			continue
		}
		if first, twice := seen[status]; twice {
			v.r.problem(v.path, s.entries[key].key, key+" is the same code as "+first+": remove one")
			continue
		}
		seen[status] = key
		all[status] = readStatus(s.get(key))
	}
	return all
}

func readStatus(v value) smpp.StatusRule {
	if s, long := v.mapping(); long {
		defer s.close()
		return smpp.StatusRule{
			Class: need(s, "class", smpp.ParseClass, "say permanent, temporary, throttle or link"),
			Name:  read(s, "name", octets(40), ""),
			Words: read(s, "words", anyText, ""),
		}
	}
	class, _ := parseValue(v, smpp.ParseClass)
	return smpp.StatusRule{Class: class}
}
