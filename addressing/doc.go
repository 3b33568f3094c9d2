// Package addressing decides who is who: it maps the phones that people text to
// the messenger handles that text them, and back.
//
// Three values carry every address, each canonical and comparable, so that two
// spellings of one address are equal and can key a map:
//
//   - [MSISDN] is a phone's number in E.164 form.
//   - [Number] is an address on the SMS side that is the bridge's own.
//   - [Handle] is a messenger address together with its network.
//
// Each has a Parse function, a String that Parse reads back, and text marshalling.
//
// The [Book] answers the two questions of the bridge. [Book.Assign] finds or makes
// the [Conversation] over which a handle reaches a phone; [Book.Answer] tells whose
// a reply is. Both read the same [Record], one for each phone, kept in a [Store]
// with compare-and-set: whatever Assign promised, Answer finds, and no two handles
// share a pair of phone and Number unless the Number is a shared one. [Book.Stop]
// keeps in the same record who must not write to the phone any more.
//
// The [Directory] is what operators decide while the bridge runs: who is called what today, who
// is blocked, and which Numbers were added or retired. The Book reads every record with the
// names of today.
//
// This room is the leaf of the house: it imports no other room.
package addressing
