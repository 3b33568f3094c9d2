package addressing_test

import (
	"testing"

	"smsbridge/addressing"
)

func BenchmarkParseMSISDN(b *testing.B) {
	for _, in := range []struct{ name, text, region string }{{"canonical", "+33612345678", "FR"}, {"national", "06 12 34 56 78", "FR"}, {"overseas", "0692 12 34 56", "FR"}} {
		b.Run(in.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := addressing.ParseMSISDN(in.text, in.region); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
