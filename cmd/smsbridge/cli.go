package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"

	"smsbridge/configs"
)

// cli is the command line, as kong reads it.
type cli struct {
	Serve     ServeCmd        `cmd:"" help:"Run the bridge with a configuration file."`
	Demo      DemoCmd         `cmd:"" help:"Try the bridge: a messenger beside a simulated phone, on one page in the browser."`
	Reload    ReloadCmd       `cmd:"" help:"Have a running daemon read its configuration file again; a bad file changes nothing."`
	Check     CheckCmd        `cmd:"" help:"Say what is wrong with a configuration file, or print the commented example."`
	Queue     QueueCmd        `cmd:"" help:"Look at the queue of a running daemon, or move that of a stopped one."`
	Link      LinkCmd         `cmd:"" help:"The links to SMSCs and the routes over them."`
	Top       TopCmd          `cmd:"" help:"Watch a running daemon: what is wrong, what waits, links and rates."`
	Trace     TraceCmd        `cmd:"" help:"The whole story of a message, or the last messages of a phone or a handle."`
	Lookup    LookupCmd       `cmd:"" help:"Say who is behind a phone, a handle or a number of the bridge."`
	Conv      ConversationCmd `cmd:"" name:"conversation" help:"List and end conversations."`
	Number    NumberCmd       `cmd:"" help:"The bridge's numbers: list, add and retire them."`
	Handle    HandleCmd       `cmd:"" help:"Rename, remove and block handles."`
	Optout    OptoutCmd       `cmd:"" help:"Who must not write to which phone."`
	Erase     EraseCmd        `cmd:"" help:"Erase what is kept of a person: of a handle, under all its names, or of a phone."`
	Provision ProvisionCmd    `cmd:"" help:"Make the numbers, conversations and opt-outs of a CSV file."`
	Bench     BenchCmd        `cmd:"" help:"Measure how fast the bridge is on this machine, against the simulated SMSC."`
	User      UserCmd         `cmd:"" help:"Make password hashes and API tokens for the web messenger."`
	Version   VersionCmd      `cmd:"" help:"Say which build this is."`
}

// ServeCmd is `smsbridge serve`.
type ServeCmd struct {
	Config string `required:"" short:"c" placeholder:"FILE" env:"SMSBRIDGE_CONFIG" help:"The configuration file."`
	Watch  bool   `default:"true" negatable:"" env:"SMSBRIDGE_WATCH" help:"Read the file again when it has changed; --no-watch leaves that to reload and SIGHUP."`
}

// DemoCmd is `smsbridge demo`.
type DemoCmd struct {
	Data     string   `default:"smsbridge-demo-data" placeholder:"DIR" help:"Where the demo keeps its messages."`
	Addr     string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the page is served; port 0 picks a free one."`
	OpsAddr  string   `name:"ops-addr" default:"127.0.0.1:9090" placeholder:"HOST:PORT" help:"Where health, metrics and the answers to queue and lookup are served; port 0 picks a free one."`
	SMSCOnly bool     `name:"smsc-only" help:"Only the simulated SMSC and its phones, to test other software against."`
	Faults   []string `name:"fault" sep:"none" placeholder:"NAME[:count=N,seconds=N,after=N]" help:"A fault that the simulated SMSC plays from the start, such as throttled:seconds=30; may be given several times. GET /faults at the page (under /phone in the full demo) lists them and switches them."`
	SMSCTLS  string   `name:"smsc-tls" placeholder:"FILE" help:"The simulated SMSC speaks TLS; FILE gets the certificate of who vouches for it."`
	SMSCAddr string   `name:"smsc-addr" default:"127.0.0.1:2775" placeholder:"HOST:PORT" help:"Where the simulated SMSC speaks SMPP; port 0 picks a free one."`
}

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// execute runs one command line and gives its exit code. ctx ends the command.
func execute(ctx context.Context, args []string, std *stdio) int {
	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("smsbridge"),
		kong.Description("Write to phones from the messenger that you already use. Start with `smsbridge demo`."),
		kong.UsageOnError(),
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exited = code }), // --help; the caller exits
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		return fail(std, err)
	}
	command, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(std.err, "smsbridge: %v\nTry `smsbridge --help`.\n", err)
		return exitUsage
	}
	if err := command.Run(); err != nil {
		return fail(std, err)
	}
	return exitOK
}

// fail says what went wrong. The problems of a configuration have lines of their own.
func fail(std *stdio, err error) int {
	if wrong, ok := errors.AsType[*configs.Error](err); ok {
		fmt.Fprintf(std.err, "%v\n\n%s\n", wrong, count(len(wrong.Problems), "problem")+", nothing was started or changed")
		return exitFailed
	}
	fmt.Fprintf(std.err, "smsbridge: %v\n", err)
	return exitFailed
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
