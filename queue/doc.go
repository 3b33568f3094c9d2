// Package queue is all that is NATS: the embedded server, the streams, the workers
// and the buckets. No other room knows what a stream is.
//
// [Open] starts (or connects to) the server and gives a [Store], which implements
// what the hub and the addressing Book need of a store: bridge.Queue, bridge.Journal,
// bridge.Archive, bridge.Parts, bridge.Marks, bridge.BegunStore and addressing.Store. Publish puts a message into one of
// three work queues, and [Store.RunMT], [Store.RunMO] and [Store.RunOUT] take them out
// again, each message of a conversation after the one before it, conversations side by
// side (lane.go). A message leaves its queue once its handler returned nil and what the
// handler stored is on disk.
//
// # What durable means
//
// A NATS server acknowledges a message once it is written to the operating system. That
// outlives a kill -9 of the process, but not a power cut. With [Power], the default, every
// method that promises durability therefore waits for one syncfs of the store's file
// system that began after the write; one syncfs serves all that wait (sync.go). With
// [Process] that step is left out. Where the server is an external one (Config.URL) its
// own configuration decides: three replicas outlive the loss of any one node.
//
// A message that was acknowledged may be handled again after a crash: the queue never
// loses, and may repeat. Whoever handles it asks the journal first. So the ids are ours
// and never stream sequences.
//
// # What is remembered
//
// Where this process alone writes, at the embedded server, it remembers what it wrote and read last:
// stories, the SMSC's ids, and the records of phones (recent.go). At an external server other instances
// write too, so nothing is remembered, and a record that decides is read at the leader of its
// stream (leader.go): a replica may be behind.
//
// # When the disk fails
//
// A server whose write failed never writes again, and those who publish wait in vain. So
// the [Store] watches its embedded server and the disk below (inner.go). While the disk is
// full, fails or is read-only nothing new is taken, with an error that says why; what was accepted
// stays. Once the disk can be written another server is started on it, within the
// process, and the lanes begin anew as after a lost connection. A sync that failed is never made up
// for by a later one: the kernel forgets what it could not write. So the whole store is
// written anew first (heal.go), and what was being written meanwhile is promised to nobody: each
// wait for the disk names the era of the group commit in which its write began.
//
// # Lanes
//
// Each work queue is spread over a few lanes by the phone, and OUT by the network as well, so
// that a messenger that is away holds up no other. A lane is one durable consumer. When it
// starts, and after every trouble, it sets its consumer back to the start of the queue: what
// is held already is known by its sequence, and the rest comes in order (fetch.go).
//
// At an external server several instances share the lanes by leases (lease.go): one works on
// a lane at a time, and whoever takes it up begins like that.
//
// # Who owns what
//
// A Store owns the server, the connection, one goroutine for the group commit and one that
// watches the server. A Run
// owns, for each lane, one goroutine that fetches, one that acknowledges, and one for each
// handler that runs, at most [Config].Credit. All of them end before Run returns, and
// [Store.Close] ends every Run. All exported methods may be called concurrently.
package queue
