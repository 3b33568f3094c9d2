package configs

import (
	"crypto/sha256"
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// Config is a whole configuration, checked.
type Config struct {
	// Source is what it was read from; the zero one where it was not read.
	Source Source
	// DataDir is where the daemon keeps its state. A relative one in the file has been
	// joined to the file's folder.
	DataDir string
	// DrainTimeout bounds a stop: 1 s to 10 min. Default 20 s.
	DrainTimeout time.Duration
	Log          Log
	Ops          Ops
	Queue        Queue
	Numbers      Numbers
	Policy       bridge.Policy // who may text whom; its zero values are the hub's defaults
	MT           MT
	MO           MO
	SMSCs        []SMSC  // at least one that can send
	Routes       []Route // none: all links serve all
	Portability  *Portability
	CallRecords  *CallRecords // nil: none are kept
	Traces       *Traces      // nil: nothing is traced
	XMPP         *XMPP        // nil where there is none
	Web          *Web         // nil where there is none; XMPP or Web is set
}

// Source is a file and what it said, by which a later reading can be told from it. It is comparable.
type Source struct {
	File string
	Sum  [sha256.Size]byte // of the content
}

// SourceOf is the source of data, which the file has.
func SourceOf(file string, data []byte) Source { return Source{File: file, Sum: sha256.Sum256(data)} }

// Log is how the daemon logs.
type Log struct {
	Level zerolog.Level // default info
	// Console asks for lines for people in place of JSON. Default false.
	Console bool
}

// Ops is where health, metrics and the admin API are served.
type Ops struct {
	Listen string // host:port, a loopback one unless the file says insecure; default 127.0.0.1:9090
	// Insecure tells that the operator wants plain text on an address that is not loopback.
	Insecure bool
}

// Durability is what "stored" outlives.
type Durability string

// The durabilities.
const (
	DurabilityPower   Durability = "power"   // the loss of power
	DurabilityProcess Durability = "process" // the end of the daemon, however sudden
)

// Queue is the store of messages: the server inside the daemon, or one elsewhere.
type Queue struct {
	// URL of the NATS servers, several with commas between. Empty: the server inside the daemon.
	URL             string
	CredentialsFile string // of an external server; may be empty
	Replicas        int    // 1, 3 or 5; 0 where the file does not say
	// RememberedPhones is how many phones' records stand in memory; 0: the queue's default.
	RememberedPhones int
	// LeaseTime is within what time another instance takes over from one that died: 2 s to
	// 10 min; 0: default.
	LeaseTime   time.Duration
	Durability  Durability // empty where the file does not say, or where the server is elsewhere
	Listen      string     // a loopback host:port where the inner server listens too; empty: nowhere
	MinFree     int64      // bytes free on the disk below which the bridge refuses; 0: default
	MaxBytes    Sizes
	MaxMessages Counts
	Keep        Keep
}

// Sizes bounds the streams, in bytes; 0: default.
type Sizes struct{ MT, MO, OUT, Log, Dead int64 }

// Counts bounds how many messages wait; 0: no bound.
type Counts struct {
	MT, MO, OUT int
	Handle      int // to phones, of one handle
	Route       int // to phones, of one route
	Journal     int // records of messages in the journal; 0: default
}

// Keep is for how long records are kept; 0: default.
type Keep struct{ Journal, Log, Dead time.Duration }

// Numbers is who reaches phones from which Number.
type Numbers struct {
	Region    string // ISO 3166-1, upper case; empty: national spellings are refused
	Dedicated []Dedicated
	Pool      []addressing.Number
	Shared    []addressing.Number
	Inbox     addressing.Handle // who gets a first contact over a pool or shared Number; zero: nobody
	// Inboxes are those of single Numbers; the zero Handle: nobody.
	Inboxes map[addressing.Number]addressing.Handle
	// Prefix says who writes on a shared Number, with {name}; empty: default.
	Prefix             string
	ReleaseAfter, Rest time.Duration       // 2 d and 1 h to 10 years; 0: default
	Keywords           addressing.Keywords // nil: default
}

// Dedicated is a Number that belongs to one handle.
type Dedicated struct {
	Number addressing.Number
	Handle addressing.Handle
}

// MT is the policy for messages to phones.
type MT struct {
	Validity    time.Duration // 1 min to 7 d; 0: default
	MaxSegments int           // 1 to 255; 0: default
	// ResendUnknown submits again what may have been sent already.
	ResendUnknown bool
}

// MO is the policy for messages from phones.
type MO struct {
	PartsWait   time.Duration // 10 s to 24 h; 0: default
	NobodyReply string        // empty: default
	HelpReply   string        // answers HELP; empty: default
}

// Bind is which way a link carries messages.
type Bind string

// The binds (SMPP 3.4, 4.1).
const (
	BindTransceiver Bind = "transceiver"
	BindTransmitter Bind = "transmitter"
	BindReceiver    Bind = "receiver"
)

// Alphabet is what an SMSC means by data_coding 0 (SMPP 3.4, 5.2.19).
type Alphabet string

// The alphabets.
const (
	AlphabetGSM7       Alphabet = "gsm7"
	AlphabetGSM7Packed Alphabet = "gsm7-packed"
	AlphabetLatin1     Alphabet = "latin1"
	AlphabetASCII      Alphabet = "ascii"
)

// Version is a version of SMPP.
type Version string

// The versions.
const (
	Version33 Version = "3.3"
	Version34 Version = "3.4"
	Version50 Version = "5.0"
)

// SMSC is one link to an SMSC, or several alike.
type SMSC struct {
	Name         string // unique: 1 to 32 of a-z, 0-9, dash, underscore
	Account      string // of the same form; links of one account share its receipts
	Address      string // host:port
	Bind         Bind
	SystemID     string // 1 to 15 octets (SMPP 3.4, 5.2.1)
	Password     Secret // never empty
	SystemType   string // up to 12 octets (SMPP 3.4, 5.2.3)
	AddressRange string // up to 40 octets (SMPP 3.4, 5.2.7)
	Version      Version
	Binds        int        // 1 to 100: as many links alike
	BindAddress  netip.Addr // of this machine; the zero one where the file does not say
	Outbind      *Outbind   // nil unless the SMSC connects to us; then Address is empty
	// Statuses are what the account means by its answers, where that is not usual.
	Statuses        map[smpp.Status]smpp.StatusRule
	TLS             *tls.Config
	Window          int     // 1 to 1000; 0: default
	Rate            float64 // segments a second; 0: no limit
	ResponseTimeout time.Duration
	EnquireInterval time.Duration
	DefaultAlphabet Alphabet        // default gsm7
	CountryCode     string          // digits, 1 to 3; empty where the file does not say
	Text            smpp.TextConfig // without its Alphabet, which is DefaultAlphabet
	Fields          smpp.FieldsConfig
}

// Outbind is where and how an SMSC connects to us (SMPP 3.4, 4.1.7).
type Outbind struct {
	Listen   string // host:port
	SystemID string // what it must say; empty: anything
	Password Secret // what it must say; never empty
}

// Route is which links carry whose messages to where.
type Route struct {
	Prefix    string   // digits; empty: every destination
	Operators []string // as the look-up names them
	Networks  []string
	Handles   []addressing.Handle
	Targets   []RouteTarget // at least one
	CostClass string        // in call-detail records; may be empty
}

// RouteTarget is a link or an account.
type RouteTarget struct {
	Name   string
	Weight int // 1 to 1000; 0 where the order decides, for all targets of a route
}

// Portability is a look-up of the operators of ported numbers.
type Portability struct {
	URL     string // http or https, with {msisdn} in it
	Token   Secret // empty: none
	Field   string // empty: default
	Timeout time.Duration
	Keep    time.Duration // 0: default
	Max     int           // 0: default
}

// XMPP is the component connection to an XMPP server (XEP-0114).
type XMPP struct {
	Server string // host:port
	Domain string
	Secret Secret // never empty
	// TLS is for a component port that speaks it from the first octet; nil for plain text.
	TLS *tls.Config
	// Allow is who may write: bare JIDs, *@ and a domain, or * for all. Empty: the users of
	// the domain above Domain, which then has one.
	Allow []string
}

// Web is the web messenger and its API.
type Web struct {
	Listen string // host:port, a loopback one unless the file says insecure
	// Insecure tells that the operator wants plain text on an address that is not loopback.
	Insecure bool
	// BehindTLS tells that people reach it through a proxy that speaks HTTPS.
	BehindTLS bool
	Users     []User // at least one
	Tokens    []Token
}

// User is a person of the web messenger.
type User struct {
	Name         string // canonical: the id of the web Handle
	PasswordHash Secret // argon2id, PHC form
}

// Token lets a program act for a user.
type Token struct {
	User string // one of the users' names
	Hash string // sha256: and 64 hexadecimal digits
}
