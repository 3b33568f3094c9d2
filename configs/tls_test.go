package configs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smsbridge/configs"
)

// writePEM makes a certificate that signs itself, and its key, in dir.
func writePEM(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	writePEM(t, dir)
	minimal, err := os.ReadFile("testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(section string) (*configs.Config, error) {
		text := strings.Replace(string(minimal), "    system_id:", "    tls: "+section+"\n    system_id:", 1)
		return configs.Parse(filepath.Join(dir, "smsbridge.yaml"), []byte(text))
	}
	cfg, err := parse("{ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem, server_name: smsc.other.example}")
	if err != nil {
		t.Fatal(err)
	}
	if c := cfg.SMSCs[0].TLS; c.RootCAs == nil || len(c.Certificates) != 1 || c.ServerName != "smsc.other.example" || c.InsecureSkipVerify {
		t.Errorf("TLS is %+v", c)
	}
	cfg, err = parse("{enabled: true}")
	if err != nil {
		t.Fatal(err)
	}
	if c := cfg.SMSCs[0].TLS; c == nil || c.ServerName != "smsc.example.net" || c.RootCAs != nil {
		t.Errorf("TLS is %+v, want the host's name and the system's authorities", c)
	}
	_, err = parse("{cert_file: key.pem, key_file: cert.pem}")
	if got := problems(t, err); len(got) != 1 || got[0].Path != "smsc[0].tls.cert_file" || !strings.Contains(got[0].Text, "cannot be used") {
		t.Errorf("a key for a certificate gives %v", got)
	}
	cfg, err = configs.Parse(filepath.Join(dir, "smsbridge.yaml"), []byte(string(minimal)+
		"\nxmpp: {server: \"xmpp.corp.example:5347\", domain: sms.corp.example, secret: s3cret, tls: {ca_file: cert.pem}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c := cfg.XMPP.TLS; c == nil || c.ServerName != "xmpp.corp.example" || c.RootCAs == nil {
		t.Errorf("TLS to the XMPP server is %+v", c)
	}
}
