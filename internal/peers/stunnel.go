package peers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// ProsodyTLS is [Prosody] behind stunnel, which speaks TLS at the component port: neither
// Prosody 0.12 nor ejabberd 23.01 does so itself. CAFile of the server vouches for it.
func ProsodyTLS(t testing.TB) *XMPPServer {
	t.Helper()
	program, err := exec.LookPath("stunnel")
	if err != nil {
		missing(t, "stunnel is not installed")
	}
	s := Prosody(t)
	outside := FreeAddress(t)
	s.CAFile = writeAuthority(t, s.dir)
	s.write("stunnel.conf", fmt.Appendf(nil, `foreground = yes
debug = info
pid =
[component]
accept = %s
connect = %s
cert = %s
`, outside, s.Component, filepath.Join(s.dir, "server.pem")))
	say, ready := started([]string{"bound to " + outside})
	launch(t, exec.Command(program, filepath.Join(s.dir, "stunnel.conf")), say).await(t, ready, program)
	s.Component = outside
	return s
}

// writeAuthority makes an authority, ca.pem, and server.pem, a certificate of it for
// loopback with its key. It returns the path of the first.
func writeAuthority(t testing.TB, dir string) string {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: XMPPDomain}, NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{XMPPDomain, ComponentDomain}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, ca, &key.PublicKey, caKey)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	file := filepath.Join(dir, "ca.pem")
	must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o644))
	server := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	must(os.WriteFile(filepath.Join(dir, "server.pem"), server, 0o600))
	return file
}
