package configs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

func (f *file) readSMSCs(v value) {
	v.missing("say how to reach at least one SMSC")
	items, ok := v.list()
	if !ok || !v.given() {
		return
	}
	names := make(map[string]string)
	sends := false
	for _, item := range items {
		s, ok := item.section()
		if !ok {
			continue
		}
		link := f.readSMSC(s)
		s.close()
		if first, twice := names[link.Name]; twice && link.Name != "" {
			s.get("name").problemf("%s is the name of %s already: give each link a name of its own", link.Name, first)
		}
		names[link.Name] = item.path
		f.sameAccount(s, link)
		sends = sends || link.Bind != BindReceiver
		f.cfg.SMSCs = append(f.cfg.SMSCs, link)
	}
	if !sends {
		v.problemf("no link can send: add one with bind: transceiver or bind: transmitter")
	}
}

func (f *file) readSMSC(s *section) SMSC {
	link := SMSC{
		Name:            need(s, "name", slug, "name the link; the name stands in metrics and logs"),
		Address:         need(s, "address", hostPort("smsc.example.net:2775"), "the SMSC's operator gives a host and a port, such as smsc.example.net:2775"),
		Bind:            read(s, "bind", oneOf(BindTransceiver, BindTransmitter, BindReceiver), BindTransceiver),
		SystemID:        need(s, "system_id", nonEmpty(octets(15)), "the SMSC's operator gives the name of your account"),
		Password:        f.secret(s, "password", "the SMSC's operator gives it"),
		SystemType:      read(s, "system_type", octets(12), ""),
		Window:          read(s, "window", integer(1, 1000), 0),
		Rate:            read(s, "rate", number(100000), 0),
		ResponseTimeout: read(s, "response_timeout", duration(time.Second, 10*time.Minute), 0),
		EnquireInterval: read(s, "enquire_interval", duration(time.Second, time.Hour), 0),
		DefaultAlphabet: read(s, "default_alphabet", oneOf(AlphabetGSM7, AlphabetGSM7Packed, AlphabetLatin1, AlphabetASCII), AlphabetGSM7),
		CountryCode:     read(s, "country_code", countryCode, ""),
	}
	link.Account = read(s, "account", slug, link.Name)
	link.Text, link.Fields = f.readTexts(s, link.DefaultAlphabet), f.readFields(s)
	f.within(s, "tls", func(t *section) { link.TLS = f.readTLS(t, link.Address) })
	return link
}

// sameAccount notes links of one account that would read the same message differently.
func (f *file) sameAccount(s *section, link SMSC) {
	for _, other := range f.cfg.SMSCs {
		if other.Account != link.Account || link.Account == "" {
			continue
		}
		if other.CountryCode != link.CountryCode {
			s.get("country_code").problemf("must be the same on all links of the account %s: %s has %q", link.Account, other.Name, other.CountryCode)
		}
		if other.DefaultAlphabet != link.DefaultAlphabet {
			s.get("default_alphabet").problemf("must be the same on all links of the account %s: %s has %s", link.Account, other.Name, other.DefaultAlphabet)
		}
		sameSending(s, link, other)
		return
	}
}

// readTLS gives nil where TLS is not enabled.
func (f *file) readTLS(s *section, address string) *tls.Config {
	enabled := read(s, "enabled", boolean, true)
	host, _, _ := net.SplitHostPort(address)
	t := &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: read(s, "server_name", anyText, host),
	}
	if ca := f.readable(s, "ca_file"); ca != "" {
		pem, _ := os.ReadFile(ca)
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			s.get("ca_file").problemf("has no certificate in it: it must be a PEM file")
		}
	}
	cert, key := f.readable(s, "cert_file"), f.readable(s, "key_file")
	switch has := s.get("cert_file"); {
	case has.given() != s.get("key_file").given():
		s.problemf("cert_file and key_file belong together: set both or none")
	case cert != "" && key != "":
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			has.problemf("the certificate and its key cannot be used: %s", fileError(err))
			break
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if !enabled {
		return nil
	}
	return t
}

func nonEmpty(parse parserOf[string]) parserOf[string] {
	return func(text string) (string, error) {
		if _, err := anyText(text); err != nil {
			return "", err
		}
		return parse(text)
	}
}

// fileError says which file and why, without the name of the system call.
func fileError(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("%s: %s", at.Path, at.Err)
	}
	return err.Error()
}
