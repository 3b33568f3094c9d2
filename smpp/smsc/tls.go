package smsc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// someoneElse is whom the certificate with the wrong name is for.
const someoneElse = "someone-else.invalid"

// certificateFor is how long a certificate holds: longer than a simulator runs.
const certificateFor = 365 * 24 * time.Hour

// authority signs certificates for the server, and for someone else.
type authority struct {
	pem          []byte
	right, wrong tls.Certificate
}

func newAuthority(names []string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := certificate("smsbridge simulator CA")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a := &authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	sign := func(names ...string) (tls.Certificate, error) {
		leaf := certificate(names[0])
		leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, name := range names {
			if ip := net.ParseIP(name); ip != nil {
				leaf.IPAddresses = append(leaf.IPAddresses, ip)
			} else {
				leaf.DNSNames = append(leaf.DNSNames, name)
			}
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, key)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}
	if a.right, err = sign(names...); err != nil {
		return nil, err
	}
	a.wrong, err = sign(someoneElse)
	return a, err
}

func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateFor),
	}
}

// serve speaks TLS on conn; the handshake comes with the first octets.
func (a *authority) serve(conn net.Conn, misnamed bool) net.Conn {
	shown := a.right
	if misnamed {
		shown = a.wrong
	}
	return tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12})
}

// CA is the certificate of the authority that vouches for the server, in PEM; nil where
// it speaks plain TCP. It is made anew at each start.
func (s *Server) CA() []byte {
	if s.tls == nil {
		return nil
	}
	return s.tls.pem
}
