// Package history holds what happened in a run of the chaos harness, and proves or
// refutes from it the invariants 1 to 5 of the bridge ([Check]).
//
// A history is written by those who stand around the bridge and survive it: the people
// at their PCs, the SMSC and its phones, and whoever broke what. It never holds what
// the bridge says of itself, but for what it told its users.
package history
