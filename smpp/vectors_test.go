package smpp_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/smpp"
)

var update = flag.Bool("update", false, "write the .golden files anew; then read them")

// Each PDU that others quoted, and what it says by SMPP 3.4: the PDU, and for a message
// what the bridge makes of it. The golden file was compared with the specification by eye.
func TestVectorsGolden(t *testing.T) {
	var got strings.Builder
	for _, v := range vectors(t) {
		fmt.Fprintf(&got, "line %d, %s, %d octets\n", v.line, v.kind, len(v.octets))
		if strings.HasPrefix(string(v.octets), "id:") { // the text of a receipt, alone
			r, err := smpp.ParseReceipt(bridge.MO{ESMClass: receiptClass, Body: v.octets})
			fmt.Fprintf(&got, "  read: receipt of %q, %s, code %q, %v\n\n", r.Candidates[0], r.State, r.Code, err)
			continue
		}
		p, err := smpp.Decode(v.octets)
		if err != nil {
			fmt.Fprintf(&got, "  error: %v\n", err)
		}
		if p != nil {
			describePDU(&got, p)
		}
		got.WriteString("\n")
	}
	const name = "testdata/vectors.golden"
	if *update {
		if err := os.WriteFile(name, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func describePDU(w *strings.Builder, p *smpp.PDU) {
	fmt.Fprintf(w, "  %s, status %s, sequence %d\n", p.Command, p.Status, p.Sequence)
	if p.MessageID != "" {
		fmt.Fprintf(w, "  message_id %q\n", p.MessageID)
	}
	if p.SystemID != "" {
		fmt.Fprintf(w, "  system_id %q\n", p.SystemID)
	}
	if b := p.Bind; b != nil {
		fmt.Fprintf(w, "  system_id %q, password %q, system_type %q, interface_version %#02x, address %d %d %q\n",
			b.SystemID, b.Password, b.SystemType, b.InterfaceVersion, b.AddrTON, b.AddrNPI, b.AddressRange)
	}
	if len(p.Raw) > 0 {
		fmt.Fprintf(w, "  body not read: %x\n", p.Raw)
	}
	describeTLVs(w, p.TLVs)
	if p.Short != nil {
		describeShort(w, p)
	}
}

func describeShort(w *strings.Builder, p *smpp.PDU) {
	s := p.Short
	address := func(a bridge.Address) string { return fmt.Sprintf("%d %d %q", a.TON, a.NPI, a.Addr) }
	fmt.Fprintf(w, "  from %s to %s, service_type %q\n", address(s.Source), address(s.Destination), s.ServiceType)
	fmt.Fprintf(w, "  esm_class %#02x, protocol_id %#02x, priority %d, schedule %q, validity %q\n", s.ESMClass, s.ProtocolID, s.Priority, s.Schedule, s.Validity)
	fmt.Fprintf(w, "  registered_delivery %#02x, replace %d, data_coding %#02x, default message %d\n", s.RegisteredDelivery, s.ReplaceIfPresent, s.DataCoding, s.DefaultMessageID)
	fmt.Fprintf(w, "  short_message %d octets: %q\n", len(s.Body), s.Body)
	describeTLVs(w, s.TLVs)
	read, err := reader().ReadMO(bridge.MO{
		Source: s.Source, Destination: s.Destination, ESMClass: s.ESMClass, DataCoding: s.DataCoding, Body: s.Body, TLVs: s.TLVs,
	})
	switch {
	case err != nil:
		fmt.Fprintf(w, "  read: %v\n", err)
	case read.Receipt != nil:
		r := read.Receipt
		fmt.Fprintf(w, "  read: receipt of %q, %s, code %q, done %s\n", r.Candidates[0], r.State, r.Code, r.At.Format("2006-01-02 15:04:05"))
	default:
		fmt.Fprintf(w, "  read: %q from %s to %s, part %d of %d, reference %d\n", read.Text, read.Phone, read.Number, read.Concat.Part, read.Concat.Total, read.Concat.Ref)
	}
}

func describeTLVs(w *strings.Builder, tlvs []bridge.TLV) {
	for _, v := range tlvs {
		fmt.Fprintf(w, "  parameter 0x%04X, %d octets: %q\n", v.Tag, len(v.Value), v.Value)
	}
}
