package peers

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TShark has Wireshark's dissectors read PDUs of SMPP, one in each packet of one TCP
// connection, and gives the values of fields for each: all that it finds of one field, with
// commas between. alphabet is what data_coding 0 means, in Wireshark's words, such as
// "GSM 7-bit". It skips the test where tshark is not installed.
func TShark(t testing.TB, alphabet string, pdus [][]byte, fields ...string) [][]string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		missing(t, "tshark is not installed")
	}
	file := filepath.Join(t.TempDir(), "pdus.pcap")
	if err := os.WriteFile(file, capture(pdus), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"-n", "-r", file, "-d", "tcp.port==2775,smpp", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a",
		"-o", "smpp.decode_sms_over_smpp:" + alphabet,
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.WaitDelay = time.Second
	var says bytes.Buffer
	cmd.Stderr = &says
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, says.String())
	}
	var all [][]string
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		all = append(all, strings.Split(line, "\t"))
	}
	if len(all) != len(pdus) {
		t.Fatalf("tshark reads %d packets of %d: %s", len(all), len(pdus), says.String())
	}
	return all
}

// capture writes a pcap file with one TCP segment for each of payloads, from port 40000 to
// 2775.
func capture(payloads [][]byte) []byte {
	const rawIP = 101 // LINKTYPE_RAW: packets begin with the IP header
	le, be := binary.LittleEndian, binary.BigEndian
	file := le.AppendUint32(nil, 0xA1B2C3D4)
	file = le.AppendUint16(file, 2)
	file = le.AppendUint16(file, 4)
	file = append(file, make([]byte, 8)...)
	file = le.AppendUint32(file, 0xFFFF)
	file = le.AppendUint32(file, rawIP)
	sequence := uint32(1)
	for i, payload := range payloads {
		ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 2}
		be.PutUint16(ip[2:], uint16(40+len(payload)))
		tcp := be.AppendUint16(nil, 40000)
		tcp = be.AppendUint16(tcp, 2775)
		tcp = be.AppendUint32(tcp, sequence)
		tcp = be.AppendUint32(tcp, 1)
		tcp = append(tcp, 0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0) // 20 octets, PSH and ACK, window
		file = le.AppendUint32(file, uint32(i))
		file = append(file, 0, 0, 0, 0)
		file = le.AppendUint32(file, uint32(40+len(payload)))
		file = le.AppendUint32(file, uint32(40+len(payload)))
		file = append(append(append(file, ip...), tcp...), payload...)
		sequence += uint32(len(payload))
	}
	return file
}
