// Package smpp speaks SMPP 3.4 with SMSCs, and knows texts, segments and receipts.
//
// One reader and one writer per [Session]; one loop per [Link].
//
//   - [Decode] and [Encode] turn octets into a [PDU] and back. They take what SMSCs
//     really send, and write nothing that is not as the specification has it.
//   - A [Session] is one connection, in either role: the simulator uses the same type.
//     Its writer owns the socket. [Session.Reserve] gives a [Slot] in the window;
//     [Slot.Send] writes a request and waits for its answer, which is found by
//     command and sequence_number. A request is answered, or never written
//     ([ErrNotWritten]), or unknown ([ErrUnknown]): written, and no answer came. What
//     the peer asks goes to a [Handler], in order for each pair of addresses.
//   - A [Link] keeps one configured bind up: dial, bind, run a Session, back off, bind
//     again; where the SMSC drops each bind at once, rarely ([LinkQuarantined]). What it
//     receives is stored first and answered then. The SMSC may call in its place
//     ([OutbindConfig]).
//   - An account is what links share: its rate, and its pause while the SMSC throttles.
//     After a pause one submit goes out alone, then the others, slower for a while; the
//     numbers are in pause.go.
//   - [Links] carries a text over a link of its [Route]: bound, with room in its window, the
//     account neither paused nor at its rate. What was throttled goes first, then what has
//     begun, then who waits longest. [Portability] tells a route by the operator.
//   - [Split] makes the segments of a text; [Reader] reads texts and receipts.
//
// A malformed body, an unknown command or a stray answer is counted, logged once and
// answered as SMPP says, and the Session lives on. Only a command_length that cannot
// be true ends it: nobody can tell where the next PDU begins.
//
// Of the library go-smpp only the codec is used, and only this room knows it. What goes
// over a link all the time is read and written by hand, octet for octet like the
// library's, at a fraction of its cost (docs/benchmarks.md).
package smpp
