package configs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
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
		Bind:            read(s, "bind", oneOf(BindTransceiver, BindTransmitter, BindReceiver), BindTransceiver),
		SystemID:        need(s, "system_id", nonEmpty(octets(15)), "the SMSC's operator gives the name of your account"),
		Password:        f.secret(s, "password", "the SMSC's operator gives it"),
		SystemType:      read(s, "system_type", octets(12), ""),
		AddressRange:    read(s, "address_range", octets(40), ""),
		Version:         read(s, "interface_version", oneOf(Version33, Version34, Version50), Version34),
		Binds:           read(s, "binds", integer(1, 100), 1),
		BindAddress:     read(s, "bind_address", ipAddress, netip.Addr{}),
		Statuses:        f.readStatuses(s.get("statuses")),
		Window:          read(s, "window", integer(1, 1000), 0),
		Rate:            read(s, "rate", number(100000), 0),
		ResponseTimeout: read(s, "response_timeout", duration(time.Second, 10*time.Minute), 0),
		EnquireInterval: read(s, "enquire_interval", duration(time.Second, time.Hour), 0),
		DefaultAlphabet: read(s, "default_alphabet", oneOf(AlphabetGSM7, AlphabetGSM7Packed, AlphabetLatin1, AlphabetASCII), AlphabetGSM7),
		CountryCode:     read(s, "country_code", countryCode, ""),
	}
	link.Account = read(s, "account", slug, link.Name)
	link.Text, link.Fields = f.readTexts(s, link.DefaultAlphabet), f.readFields(s)
	const example = "smsc.example.net:2775"
	if f.within(s, "outbind", func(o *section) { link.Outbind = f.readOutbind(o) }) {
		link.Address = read(s, "address", hostPort(example), "")
	} else {
		link.Address = need(s, "address", hostPort(example), "the SMSC's operator gives a host and a port, such as "+example)
	}
	f.within(s, "tls", func(t *section) { link.TLS = f.readTLS(t, link.Address) })
	checkLink(s, link)
	return link
}

// readOutbind reads how the SMSC calls.
func (f *file) readOutbind(s *section) *Outbind {
	return &Outbind{
		Listen:   need(s, "listen", listenAddress, "say where the SMSC connects to, such as 192.0.2.1:2776"),
		SystemID: read(s, "system_id", octets(15), ""),
		Password: f.secret(s, "password", "agree on one with the SMSC's operator: without it anybody could pass for the SMSC"),
	}
}

// checkLink notes settings of a link that cannot be together.
func checkLink(s *section, link SMSC) {
	if link.Version == Version33 && link.Bind == BindTransceiver {
		s.get("interface_version").problemf("SMPP 3.3 has no transceiver: use two links, bind: transmitter and bind: receiver, with the same account")
	}
	if link.Outbind == nil {
		return
	}
	if link.TLS != nil {
		s.get("tls").problemf("cannot be used with outbind: the SMSC connects in plain text, so put a tunnel or a firewall before the port")
	}
	if link.Binds > 1 {
		s.get("binds").problemf("must be 1 with outbind: the SMSC decides how often it calls; add a link with a port of its own for each")
	}
	if s.get("address").given() {
		s.get("address").problemf("is not used with outbind, where the SMSC connects to us: remove one of the two")
	}
}

func ipAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, fmt.Errorf("must be an IP address of this machine, such as 192.0.2.1 or 2001:db8::1, got %s", shown(text))
	}
	return a, nil
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
		if s.get("rate").given() && other.Rate != link.Rate {
			s.get("rate").problemf("must be the same on all links of the account %s, which share it: %s has %g", link.Account, other.Name, other.Rate)
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
