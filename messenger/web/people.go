package web

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"smsbridge/addressing"
)

// person is a user whose configuration has been checked.
type person struct {
	name   string // canonical
	handle addressing.Handle
	hash   argonHash
}

// people finds persons by name and by token. It does not change once made.
type people struct {
	byName  map[string]*person
	byToken map[[sha256.Size]byte]*person
	// nobody stands in for an unknown name: trying a password on it costs as much as
	// on somebody, so that the time of an answer does not tell who exists.
	nobody argonHash
}

func newPeople(users []User, tokens []Token) (*people, error) {
	p := &people{byName: map[string]*person{}, byToken: map[[sha256.Size]byte]*person{}}
	var hashes []argonHash
	for i, u := range users {
		handle, err := addressing.NewHandle(addressing.NetworkWeb, u.Name)
		if err != nil {
			return nil, fmt.Errorf("web: users[%d].name: %w", i, err)
		}
		hash, err := parseHash(u.PasswordHash)
		if err != nil {
			return nil, fmt.Errorf("web: users[%d].password_hash: %w", i, err)
		}
		if p.byName[handle.ID()] != nil {
			return nil, fmt.Errorf("web: users[%d].name: there are two users %s", i, handle.ID())
		}
		p.byName[handle.ID()] = &person{name: handle.ID(), handle: handle, hash: hash}
		hashes = append(hashes, hash)
	}
	for i, t := range tokens {
		who := p.find(t.User)
		if who == nil {
			return nil, fmt.Errorf("web: tokens[%d].user: %q is none of the users", i, t.User)
		}
		sum, err := parseTokenHash(t.Hash)
		if err != nil {
			return nil, fmt.Errorf("web: tokens[%d].hash: %w", i, err)
		}
		p.byToken[sum] = who
	}
	if len(hashes) > 0 {
		p.nobody = slices.MaxFunc(hashes, func(a, b argonHash) int { return cmp.Compare(a.cost(), b.cost()) })
	}
	return p, nil
}

// find gives the person of a name in any spelling, or nil.
func (p *people) find(name string) *person {
	handle, err := addressing.NewHandle(addressing.NetworkWeb, name)
	if err != nil {
		return nil
	}
	return p.byName[handle.ID()]
}

// withToken gives the person for whom a token acts, or nil.
func (p *people) withToken(token string) *person {
	return p.byToken[sha256.Sum256([]byte(token))]
}

// withPassword gives the person of that name and password, or nil. It costs the same
// whether or not there is such a person.
func (p *people) withPassword(name, password string) *person {
	who, hash := p.find(name), p.nobody
	if who != nil {
		hash = who.hash
	}
	if hash.sum == nil || !hash.matches(password) {
		return nil
	}
	return who
}
