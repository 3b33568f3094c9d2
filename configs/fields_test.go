package configs_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"smsbridge/bridge"
	"smsbridge/configs"
	"smsbridge/smpp"
)

func TestTextsAndFields(t *testing.T) {
	minimal, err := os.ReadFile("testdata/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parse := func(settings string) configs.SMSC {
		text := strings.Replace(string(minimal), "    system_id:", settings+"    system_id:", 1)
		cfg, err := configs.Parse("smsbridge.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return cfg.SMSCs[0]
	}
	got := parse("")
	if diff := cmp.Diff(smpp.TextConfig{}, got.Text); diff != "" {
		t.Errorf("texts by default: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(smpp.FieldsConfig{}, got.Fields); diff != "" {
		t.Errorf("fields by default: -want +got:\n%s", diff)
	}
	got = parse(`    default_alphabet: gsm7-packed
    encoding: gsm7
    long: udh16
    national: [turkish, portuguese]
    smart_replacement: true
    transliterate: true
    service_type: CMT
    validity: relative
    priority: 3
    protocol_id: 64
    schedule: 10m
    flash: true
    receipts: false
    message_ids: constant
    tlvs: {"0x1400": "hex:01fF", "5121": "text:abc"}
`)
	if diff := cmp.Diff(smpp.TextConfig{
		Encoding: "gsm7", Long: "udh16", National: []smpp.Language{"turkish", "portuguese"},
		Smart: true, Transliterate: true,
	}, got.Text); diff != "" {
		t.Errorf("texts: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(smpp.FieldsConfig{
		ServiceType: "CMT", Validity: "relative", Schedule: 10 * time.Minute, Priority: 3, ProtocolID: 64, Flash: true, NoReceipts: true, ConstantIDs: true,
		TLVs: []bridge.TLV{{Tag: 0x1400, Value: []byte{1, 0xFF}}, {Tag: 0x1401, Value: []byte("abc")}},
	}, got.Fields); diff != "" {
		t.Errorf("fields: -want +got:\n%s", diff)
	}
}
