package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
	"smsbridge/configs"
	"smsbridge/messenger/web"
	"smsbridge/smpp/smsc"
)

// demoPages are the page that shows a messenger beside a phone.
//
//go:embed demo
var demoPages embed.FS

// The people and numbers of the demo.
const (
	demoUser     = "ann"
	demoSystemID = "demo"
)

// demoUsers are the people of the demo with the hashes of their passwords, which are
// their names. The hashes are fixed because a new one would sign out who is signed in.
var demoUsers = map[string]string{
	"ann": "$argon2id$v=19$m=65536,t=3,p=4$gN4lsozJ1xgEZilNhoTlNQ$Rh+heawzYVaqN+c7BNWMvApL1WjqTySUiPX/GtlCS5g",
	"bob": "$argon2id$v=19$m=65536,t=3,p=4$KsVUxcRMrw7y6hzshVj0HA$FQ73wB3mcfeA/TOBaNcaDIEbWZMm2lzIg3/uWBCA3ps",
}

var demoPool = []string{"+33700000001", "+33700000002", "+33700000003", "+33700000004", "+33700000005"}

// Run shows the bridge on one page, or serves the simulated SMSC alone.
func (c *DemoCmd) Run(ctx context.Context, std *stdio) error {
	log := newLogger(std.err, configs.Log{Level: zerolog.WarnLevel, Console: true})
	d, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	if c.SMSCOnly {
		fmt.Fprintf(std.out, "The simulated SMSC takes SMPP binds at %s, from anybody.\nIts phones are at http://%s/\nStop it with Ctrl-C.\n",
			d.smsc.Addr(), d.listener.Addr())
	} else {
		fmt.Fprintf(std.out, "\nThe demo is at\n\n    %s\n\nOpen it in a browser. Its messages are kept in %s. Stop it with Ctrl-C.\nOperators watch it at http://%s/ and with `smsbridge top --ops http://%[3]s`.\n\n", d.url(), c.Data, d.app.ops.Addr())
	}
	return d.run(ctx)
}

// demo is the bridge with a simulated SMSC and one page over both.
type demo struct {
	app      *app // nil where only the SMSC is wanted
	smsc     *smsc.Server
	listener net.Listener
	handler  http.Handler
	key      string // opens the page as demoUser
	log      zerolog.Logger
}

func (c *DemoCmd) open(ctx context.Context, log zerolog.Logger) (_ *demo, err error) {
	d := &demo{log: log, key: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.smsc, err = c.openSMSC(ctx, log); err != nil {
		return nil, err
	}
	d.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", freeAddr(ctx, c.Addr))
	if err != nil {
		return nil, fmt.Errorf("the page cannot be served at %s: choose another with --addr: %w", c.Addr, err)
	}
	d.handler = d.smsc.Handler()
	if c.SMSCOnly {
		return d, nil
	}
	cfg := demoConfig(c.Data, freeAddr(ctx, c.OpsAddr), d.smsc.Addr())
	if ca := d.smsc.CA(); ca != nil {
		cfg.SMSCs[0].TLS = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		cfg.SMSCs[0].TLS.RootCAs.AppendCertsFromPEM(ca)
	}
	if d.app, err = newApp(ctx, cfg, log); err != nil {
		return nil, err
	}
	d.handler, err = d.pages()
	return d, err
}

// openSMSC makes the simulated SMSC with the faults that it is to have from the start.
func (c *DemoCmd) openSMSC(ctx context.Context, log zerolog.Logger) (*smsc.Server, error) {
	cfg := smsc.Config{Addr: freeAddr(ctx, c.SMSCAddr), StatePath: filepath.Join(c.Data, "phones.json"), Logger: room(log, "smsc")}
	if c.SMSCTLS != "" {
		cfg.TLSNames = []string{"localhost", "127.0.0.1", "::1"}
		if host, _, err := net.SplitHostPort(c.SMSCAddr); err == nil && host != "" {
			cfg.TLSNames = append(cfg.TLSNames, host)
		}
	}
	s, err := smsc.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (c *DemoCmd) prepare(s *smsc.Server) error {
	for _, text := range c.Faults {
		name, params, err := smsc.ParseFault(text)
		if err == nil {
			err = s.SwitchOn(name, params)
		}
		if err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
	}
	if c.SMSCTLS == "" {
		return nil
	}
	if err := os.WriteFile(c.SMSCTLS, s.CA(), 0o644); err != nil {
		return fmt.Errorf("--smsc-tls: the certificate cannot be stored; choose another file: %w", err)
	}
	return nil
}

// demoConfig is the configuration of the demo: everything on this machine, and users
// whose passwords are their names.
func demoConfig(dir, opsAddr, smscAddr string) *configs.Config {
	cfg := &configs.Config{
		DataDir: dir, DrainTimeout: 5 * time.Second,
		Ops:     configs.Ops{Listen: opsAddr},
		Numbers: configs.Numbers{Region: "FR"},
		SMSCs: []configs.SMSC{{
			Name: "simulator", Account: "simulator", Address: smscAddr, Bind: configs.BindTransceiver,
			SystemID: demoSystemID, Password: configs.NewSecret("demo"), DefaultAlphabet: configs.AlphabetGSM7,
		}},
		Web: &configs.Web{},
	}
	for _, n := range demoPool {
		cfg.Numbers.Pool = append(cfg.Numbers.Pool, addressing.MustParseNumber(n))
	}
	cfg.Numbers.Inbox = addressing.MustParseHandle("web:" + demoUser)
	for name, hash := range demoUsers {
		cfg.Web.Users = append(cfg.Web.Users, configs.User{Name: name, PasswordHash: configs.NewSecret(hash)})
	}
	return cfg
}

// freeAddr is addr, or a free port on its host where addr is in use: whoever tries the
// demo must not have to look for ports first.
func freeAddr(ctx context.Context, addr string) string {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err == nil {
		_ = l.Close() // never fails for a listener that took nothing
		return addr
	}
	host, _, split := net.SplitHostPort(addr)
	if split != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return addr // whoever listens there says what is wrong with it
	}
	return net.JoinHostPort(host, "0")
}

// url signs in and shows the page.
func (d *demo) url() string {
	return fmt.Sprintf("http://%s/demo/open?key=%s", d.listener.Addr(), d.key)
}

// pages puts the messenger, the phones and the page around them on one listener.
func (d *demo) pages() (http.Handler, error) {
	files, err := fs.Sub(demoPages, "demo")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", d.app.web.Handler())
	mux.Handle("/phone/", http.StripPrefix("/phone", d.smsc.Handler()))
	mux.Handle("GET /demo/", web.SecurityHeaders(http.StripPrefix("/demo/", http.FileServerFS(files))))
	mux.HandleFunc("GET /demo/open", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("key") != d.key {
			http.Error(w, "This link is of an earlier run of the demo. Use the one that it printed when it started.", http.StatusForbidden)
			return
		}
		if err := d.app.web.SignIn(w, demoUser); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/demo/", http.StatusSeeOther)
	})
	return mux, nil
}

// run serves until ctx ends. The bridge stops before the SMSC that it is bound to.
func (d *demo) run(ctx context.Context) error {
	ctx, failed := context.WithCancel(ctx)
	defer failed()
	operator := newStage("simulated SMSC", d.log, failed)
	page := newStage("page", d.log, failed)
	operator.run("smsc", d.smsc.Run)
	page.run("http", d.serve)
	var err error
	if d.app != nil {
		err = d.app.run(ctx)
	}
	<-ctx.Done()
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(err, page.stop(bound), operator.stop(bound))
}

func (d *demo) serve(ctx context.Context) error {
	srv := &http.Server{Handler: d.handler, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (d *demo) close() error {
	var errs []error
	if d.listener != nil {
		errs = append(errs, d.listener.Close())
	}
	if d.smsc != nil {
		errs = append(errs, d.smsc.Close())
	}
	return errors.Join(errs...)
}
