package addressing_test

import (
	"errors"
	"strings"
	"testing"

	"smsbridge/addressing"
)

// written is a number as someone writes it in a region, and the number that it is.
type written struct{ in, want string }

// spellings are taken from national numbering plans, as regulators publish them and
// notify them to the ITU (E.129), and not from what the code gives. Where a plan has
// numbers for fiction, these are used.
var spellings = []struct {
	region, plan string
	numbers      []written
}{
	{"FR", "Arcep, décision 2018-0881: nine digits behind 0, 06 and 07 mobile, 06 39 98 and 01 99 00 for fiction", []written{
		{"0612345678", "+33612345678"},
		{"06 12 34 56 78", "+33612345678"},
		{"06.12.34.56.78", "+33612345678"},
		{"06-12-34-56-78", "+33612345678"},
		{"06/12/34/56/78", "+33612345678"},
		{"(06) 12 34 56 78", "+33612345678"},
		{"+33 6 12 34 56 78", "+33612345678"},
		{"+33(0)612345678", "+33612345678"},
		{"+33 (0) 6 12 34 56 78", "+33612345678"},
		{"(+33) 612 345 678", "+33612345678"},
		{"[+33] 6.12.34.56.78", "+33612345678"},
		{"0033 6 12 34 56 78", "+33612345678"},
		{"33612345678", "+33612345678"},
		{"06\u00a012\u202f34\u200956\u201178", "+33612345678"}, // blanks and a dash of typesetters
		{"\u202a+33 6 12 34 56 78\u202c", "+33612345678"},      // direction marks, as phones copy them
		{"０６　１２　３４　５６　７８", "+33612345678"},
		{"＋３３（０）６１２３４５６７８", "+33612345678"},
		{"tel:+33-6-12-34-56-78", "+33612345678"},
		{"TEL:+33.6.12.34.56.78", "+33612345678"},
		{"tel:%2B33612345678", "+33612345678"},
		{"tel:06-12-34-56-78;phone-context=+33", "+33612345678"},
		{"tel:+33612345678;npdi;cic=+33-123", "+33612345678"}, // parameters that mean nothing here
		{"07 56 78 90 12", "+33756789012"},
		{"06 39 98 00 12", "+33639980012"},
		{"01 99 00 12 34", "+33199001234"},
	}},
	{"FR", "Arcep, décision 2018-0881: the départements overseas are in the plan of the mainland, and have country codes of their own", []written{
		{"0692 12 34 56", "+262692123456"}, // Réunion, mobile
		{"0262 20 12 34", "+262262201234"}, // Réunion, fixed
		{"0639 01 23 45", "+262639012345"}, // Mayotte, mobile
		{"0269 61 12 34", "+262269611234"}, // Mayotte, fixed
		{"0690 12 34 56", "+590690123456"}, // Guadeloupe, mobile
		{"0590 82 12 34", "+590590821234"}, // Guadeloupe, fixed
		{"0694 20 12 34", "+594694201234"}, // Guyane, mobile
		{"0594 30 12 34", "+594594301234"}, // Guyane, fixed
		{"0696 20 12 34", "+596696201234"}, // Martinique, mobile
		{"0596 70 12 34", "+596596701234"}, // Martinique, fixed
		{"0508 41 23 45", "+508412345"},    // Saint-Pierre-et-Miquelon, fixed: six digits from abroad
		{"0708 41 23 45", "+508708412345"}, // Saint-Pierre-et-Miquelon, mobile
		{"+262 692 12 34 56", "+262692123456"},
		{"+33 692 12 34 56", "+262692123456"}, // the code of the mainland, which Réunion has not
		{"00262 692 12 34 56", "+262692123456"},
	}},
	{"RE", "the same plan, dialled overseas", []written{
		{"0692 12 34 56", "+262692123456"},
		{"0612345678", "+33612345678"},
		{"0690 12 34 56", "+590690123456"},
	}},
	{"GB", "Ofcom, National Telephone Numbering Plan: 07 mobile; 07700 900000 to 900999 and 020 7946 0000 to 0999 for drama", []written{
		{"07700 900123", "+447700900123"},
		{"+44 (0)7700 900123", "+447700900123"},
		{"+44 7700 900 123", "+447700900123"},
		{"0044 7700 900123", "+447700900123"},
		{"(020) 7946 0123", "+442079460123"},
		{"+44 (0) 20 7946 0123", "+442079460123"},
	}},
	{"DE", "Bundesnetzagentur, Nummernpläne: 015, 016 and 017 mobile; 0171 39200 and 030 23125 for the media", []written{
		{"0171 3920012", "+491713920012"},
		{"0171/39200-12", "+491713920012"},
		{"+49 (0)171 39200-12", "+491713920012"},
		{"0049 171 3920012", "+491713920012"},
		{"0152 28817386", "+4915228817386"},
		{"(0 30) 23 12 51 23", "+493023125123"},
	}},
	{"IT", "AGCOM, delibera 8/15/CIR: 3 mobile; the 0 of fixed numbers is dialled from abroad as well", []written{
		{"06 1234 5678", "+390612345678"},
		{"+39 06 1234 5678", "+390612345678"},
		{"+39 (0)6 1234 5678", "+390612345678"},
		{"0039 06 12345678", "+390612345678"},
		{"347 123 4567", "+393471234567"},
		{"+39 347 1234567", "+393471234567"},
		{"+39 (0)347 1234567", "+393471234567"}, // mobile numbers never have the 0
	}},
	{"ES", "Plan nacional de numeración, RD 2296/2004: nine digits, no trunk prefix, 6 and 7 mobile", []written{
		{"612 34 56 78", "+34612345678"},
		{"+34 612 345 678", "+34612345678"},
		{"0034 712345678", "+34712345678"},
	}},
	{"PT", "ANACOM, Plano Nacional de Numeração: nine digits, no trunk prefix, 91, 92, 93 and 96 mobile", []written{
		{"912 345 678", "+351912345678"},
		{"+351 912 345 678", "+351912345678"},
	}},
	{"CH", "BAKOM, Nummerierungsplan E.164/2002: 07x mobile", []written{
		{"078 123 45 67", "+41781234567"},
		{"+41 (0)78 123 45 67", "+41781234567"},
	}},
	{"BE", "IBPT, arrêté royal du 27 avril 2007: 04xx mobile", []written{
		{"0470/12.34.56", "+32470123456"},
		{"+32 470 12 34 56", "+32470123456"},
	}},
	{"NL", "ACM, Nummerplan telefoon- en ISDN-diensten: 06 mobile", []written{
		{"06-12345678", "+31612345678"},
		{"+31 (0)6 12345678", "+31612345678"},
	}},
	{"AT", "RTR, KEM-V 2009: 0664 mobile, numbers of different lengths", []written{
		{"0664 1234567", "+436641234567"},
		{"+43 (0) 664/1234567", "+436641234567"},
	}},
	{"PL", "UKE, Plan Numeracji Krajowej: nine digits, no trunk prefix", []written{
		{"512 345 678", "+48512345678"},
		{"+48 512-345-678", "+48512345678"},
	}},
	{"HU", "NMHH, 2/2011 rendelet: trunk prefix 06; 20, 30 and 70 mobile", []written{
		{"06 20 123 4567", "+36201234567"},
		{"(06-30) 123-4567", "+36301234567"},
		{"+36 20 123 4567", "+36201234567"},
	}},
	{"RU", "Minsvyaz, order 205 of 2018: trunk prefix 8, 8~10 for abroad, 9xx mobile", []written{
		{"8 (912) 345-67-89", "+79123456789"},
		{"+7 912 345-67-89", "+79123456789"},
		{"8~10 33 6 12 34 56 78", "+33612345678"},
		{"810 44 7700 900123", "+447700900123"},
	}},
	{"KZ", "shares +7 with Russia: 7xx", []written{
		{"8 (701) 123-45-67", "+77011234567"},
	}},
	{"SE", "PTS, telefoninummerplanen: 07x mobile; 070-174 06 05 to 99 and 08-465 004 00 to 99 for fiction", []written{
		{"070-174 06 05", "+46701740605"},
		{"+46 (0)70-174 06 05", "+46701740605"},
		{"08-465 004 00", "+46846500400"},
	}},
	{"NO", "Nkom, nummerplan: eight digits, no trunk prefix, 4 and 9 mobile", []written{
		{"412 34 567", "+4741234567"},
		{"+47 41 23 45 67", "+4741234567"},
	}},
	{"DK", "Energistyrelsen, den danske nummerplan: eight digits, no trunk prefix", []written{
		{"20 12 34 56", "+4520123456"},
	}},
	{"FI", "Traficom, regulation 32: 04x and 050 mobile, of different lengths", []written{
		{"040 1234567", "+358401234567"},
		{"+358 (0)40 123 4567", "+358401234567"},
	}},
	{"IE", "ComReg, Numbering Conditions of Use: 08x mobile", []written{
		{"087 123 4567", "+353871234567"},
		{"+353 (0)87 123 4567", "+353871234567"},
	}},
	{"LT", "RRT, national numbering plan: trunk prefix 8, and 0 since 2022", []written{
		{"8 612 34567", "+37061234567"},
		{"0 612 34567", "+37061234567"},
	}},
	{"TR", "BTK, ulusal numaralandırma planı: 5xx mobile", []written{
		{"0532 123 45 67", "+905321234567"},
		{"+90 (532) 123 45 67", "+905321234567"},
	}},
	{"UA", "NKEK, national numbering plan: 050 mobile", []written{
		{"(050) 123-45-67", "+380501234567"},
	}},
	{"SA", "CST, National Numbering Plan: 05x mobile", []written{
		{"050 123 4567", "+966501234567"},
		{"٠٥٠ ١٢٣ ٤٥٦٧", "+966501234567"},
		{"+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧", "+966501234567"},
	}},
	{"EG", "NTRA, numbering plan: 010, 011, 012 and 015 mobile", []written{
		{"٠١٠٠ ١٢٣ ٤٥٦٧", "+201001234567"},
	}},
	{"IR", "CRA, national numbering plan: 09xx mobile", []written{
		{"۰۹۱۲ ۳۴۵ ۶۷۸۹", "+989123456789"},
	}},
	{"MA", "ANRT, plan national de numérotation: 06 and 07 mobile", []written{
		{"0612-345678", "+212612345678"},
	}},
	{"ZA", "ICASA, Numbering Plan Regulations 2016: 06, 07 and 08 mobile", []written{
		{"082 123 4567", "+27821234567"},
	}},
	{"NG", "NCC, National Numbering Plan: 0803 mobile", []written{
		{"0803 123 4567", "+2348031234567"},
	}},
	{"KE", "CA, numbering plan: 07 mobile; 000 for abroad", []written{
		{"0712 345678", "+254712345678"},
		{"000 33 6 12 34 56 78", "+33612345678"},
	}},
	{"CI", "ARTCI: ten digits since 31 January 2021, whose 0 is dialled from abroad as well", []written{
		{"07 07 12 34 56", "+2250707123456"},
		{"+225 07 07 12 34 56", "+2250707123456"},
	}},
	{"BJ", "ARCEP Bénin: ten digits, with 01 before the eight of old, since 30 November 2024", []written{
		{"01 97 12 34 56", "+2290197123456"},
		{"+229 01 97 12 34 56", "+2290197123456"},
	}},
	{"US", "NANPA; 555-0100 to 0199 for fiction (ATIS-0300115); 011 for abroad", []written{
		{"(202) 555-0123", "+12025550123"},
		{"202.555.0123", "+12025550123"},
		{"1-202-555-0123", "+12025550123"},
		{"+1 (202) 555-0123", "+12025550123"},
		{"tel:+1-202-555-0123", "+12025550123"},
		{"011 33 6 12 34 56 78", "+33612345678"},
		{"876-555-0123", "+18765550123"}, // Jamaica is dialled as any other area
	}},
	{"CA", "CNA, of NANPA: 604 is British Columbia", []written{
		{"604-555-0123", "+16045550123"},
		{"+1 604 555 0123", "+16045550123"},
	}},
	{"JM", "of NANPA: 876", []written{
		{"(876) 555-0123", "+18765550123"},
		{"1 876 555 0123", "+18765550123"},
		{"202-555-0123", "+12025550123"},
	}},
	{"MX", "IFT, Plan Técnico Fundamental de Numeración of 2018: ten digits; since August 2019 no 1, 01, 044 or 045", []written{
		{"55 1234 5678", "+525512345678"},
		{"+52 55 1234 5678", "+525512345678"},
		{"+52 1 55 1234 5678", "+525512345678"},
		{"0052 1 55 1234 5678", "+525512345678"},
		{"044 55 1234 5678", "+525512345678"},
		{"045 222 123 4567", "+522221234567"},
		{"01 55 1234 5678", "+525512345678"},
	}},
	{"AR", "ENACOM, Plan Fundamental de Numeración Nacional: mobiles have 15 behind the area at home and 9 before it from abroad", []written{
		{"011 15-2345-6789", "+5491123456789"},
		{"+54 9 11 2345-6789", "+5491123456789"},
		{"+54 11 15 2345 6789", "+5491123456789"},
		{"0343 15-555-1212", "+5493435551212"},
		{"+54 9 343 555-1212", "+5493435551212"},
		{"011 4321-1234", "+541143211234"},    // fixed
		{"+54 11 4321-1234", "+541143211234"}, // fixed: there is no 9
		{"00 54 9 11 2345-6789", "+5491123456789"},
	}},
	{"BR", "Anatel, Resolução 553/2010: mobiles have a ninth digit, 9; a carrier's two digits may stand before the area", []written{
		{"(11) 98765-4321", "+5511987654321"},
		{"011 98765-4321", "+5511987654321"},
		{"0 15 11 98765-4321", "+5511987654321"},
		{"+55 11 98765-4321", "+5511987654321"},
		{"+55 11 8765-4321", "+5511987654321"}, // of before 2012
		{"(21) 8765-4321", "+5521987654321"},
		{"+55 11 3123-4567", "+551131234567"}, // fixed: eight digits
		{"0015 33 6 12 34 56 78", "+33612345678"},
	}},
	{"CL", "Subtel, Plan Técnico Fundamental de Numeración: nine digits, 9 mobile", []written{
		{"9 8765 4321", "+56987654321"},
		{"+56 9 8765 4321", "+56987654321"},
	}},
	{"CO", "CRC, plan nacional de numeración: 3xx mobile", []written{
		{"310 123 4567", "+573101234567"},
	}},
	{"CN", "MIIT, numbering plan of 2017: 13x to 19x mobile, no trunk prefix", []written{
		{"138 0013 8000", "+8613800138000"},
		{"+86 138-0013-8000", "+8613800138000"},
		{"１３８００１３８０００", "+8613800138000"},
	}},
	{"JP", "MIC, telecommunications numbering plan: 070, 080 and 090 mobile; 010 for abroad", []written{
		{"090-1234-5678", "+819012345678"},
		{"０９０−１２３４−５６７８", "+819012345678"},
		{"090ー1234ー5678", "+819012345678"},
		{"010 33 6 12 34 56 78", "+33612345678"},
	}},
	{"KR", "MSIT, numbering rules: 010 mobile", []written{
		{"010-1234-5678", "+821012345678"},
		{"+82 (0)10-1234-5678", "+821012345678"},
	}},
	{"IN", "DoT, National Numbering Plan 2003: ten digits, 6 to 9 mobile", []written{
		{"098765 43210", "+919876543210"},
		{"98765-43210", "+919876543210"},
		{"९८७६५ ४३२१०", "+919876543210"},
	}},
	{"TH", "NBTC, numbering plan: 06, 08 and 09 mobile; 001 for abroad", []written{
		{"081 234 5678", "+66812345678"},
		{"๐๘๑ ๒๓๔ ๕๖๗๘", "+66812345678"},
		{"001 33 6 12 34 56 78", "+33612345678"},
	}},
	{"ID", "Kominfo, FTP Nasional 2000: 08xx mobile", []written{{"0812-3456-7890", "+6281234567890"}}},
	{"PH", "NTC: 09xx mobile", []written{{"0917 123 4567", "+639171234567"}}},
	{"VN", "MIC, circular 22/2014: 09 mobile", []written{{"0912 345 678", "+84912345678"}}},
	{"MY", "MCMC, Numbering and Electronic Addressing Plan: 01x mobile", []written{{"012-345 6789", "+60123456789"}}},
	{"SG", "IMDA, National Numbering Plan: eight digits, 8 and 9 mobile", []written{{"8123 4567", "+6581234567"}}},
	{"AU", "ACMA, Numbering Plan 2015: 04 mobile; 0491 570 006, 156 and others for fiction; 0011 for abroad", []written{
		{"0491 570 156", "+61491570156"},
		{"+61 (0)491 570 156", "+61491570156"},
		{"0011 33 6 12 34 56 78", "+33612345678"},
	}},
	{"NZ", "New Zealand Telephone Numbering Plan: 02x mobile, of different lengths", []written{
		{"027 123 4567", "+64271234567"},
		{"021 123 456", "+6421123456"},
	}},
	{"", "ITU-T E.164, annexes: global services have no region", []written{
		{"+870 773 111 632", "+870773111632"}, // Inmarsat
		{"+883 5100 0123 4567", "+883510001234567"},
	}},
}

func TestSpellings(t *testing.T) {
	for _, country := range spellings {
		t.Run(country.region+" "+country.plan, func(t *testing.T) {
			for _, n := range country.numbers {
				got, err := addressing.ParseMSISDN(n.in, country.region)
				if err != nil || got.String() != n.want {
					t.Errorf("%q in %s is %q, %v; want %s", n.in, country.region, got, err, n.want)
				}
			}
		})
	}
}

func TestRefusedSpellings(t *testing.T) {
	tests := []struct{ name, region, in, says string }{
		{"emergency, Europe", "FR", "112", "emergency number"},
		{"emergency, police", "FR", "17", "emergency number"},
		{"emergency, America", "US", "911", "emergency number"},
		{"emergency, another country's", "FR", "911", "emergency number"},
		{"emergency, Britain", "GB", "999", "emergency number"},
		{"emergency, Australia", "AU", "000", "emergency number"},
		{"emergency, no region", "", "112", "emergency number"},
		{"emergency with a country code", "", "+33 17", "emergency number"},
		{"emergency with a plus", "", "+112", "emergency number"},
		{"emergency that is as long as a number", "DE", "110", "emergency number"},
		{"short number", "FR", "3620", "short number"},
		{"short number of directories", "FR", "118 218", "short number"},
		{"short number of SMS services", "FR", "36 180", "short number"},
		{"short number of emergencies by SMS", "FR", "114", "short number"},
		{"short number with a country code", "", "+33 3620", "short number"},
		{"no area code", "US", "555-0123", "no area code"},
		{"no area code, with a country code", "", "+1 555-0123", "no area code"},
		{"too short", "FR", "+33 1 23 45 67", "too few digits for its country, +33"},
		{"too long", "FR", "06 12 34 56 78 90", "too many digits"},
		{"longer than E.164 allows, in its plan", "DE", "98061623297824", "too many digits for its country, +49"},
		{"two numbers", "FR", "06 12 34 56 78 / 06 12 34 56 79", "too many digits"},
		{"no such country", "FR", "+999 12345678", "no country code"},
		{"national, no region", "", "0612345678", "no country code: write it with a plus"},
		{"international without a plus, no region", "", "33612345678", "write +33612345678"},
		{"international without a plus, another region", "FR", "4915228817386", "write +4915228817386"},
		{"two readings", "TH", "0033612345678", "as +3612345678 and as +33612345678"},
		{"extension", "FR", "+33612345678 ext. 12", "extension"},
		{"extension, x", "US", "202-555-0123 x12", "extension"},
		{"extension, #", "FR", "0612345678#12", "extension"},
		{"extension, French", "FR", "0612345678 poste 12", "extension"},
		{"extension, RFC 3966", "", "tel:+33612345678;ext=12", "extension"},
		{"sub-address, RFC 3966", "", "tel:+33612345678;isub=12", "extension"},
		{"a company's number, RFC 3966", "FR", "tel:7042;phone-context=example.com", `inside the network "example.com"`},
		{"a network that is not UTF-8, RFC 3966", "FR", "tel:7042;phone-context=\xff", `inside the network "\xff"`},
		{"a company's prefix, RFC 3966", "FR", "tel:863-1234;phone-context=+1-914-784", "inside the network"},
		{"letters of a keypad", "US", "1-800-FLOWERS", "not a phone number"},
		{"a word before it", "FR", "ann+33612345678", "not a phone number"},
		{"a name", "FR", "ann", "not a phone number"},
		{"two pluses", "FR", "++33612345678", "not a phone number"},
		{"a plus inside", "FR", "33+612345678", "not a phone number"},
		{"a star", "FR", "*31#0612345678", "not a phone number"},
		{"a control character", "FR", "06123\x0045678", "not a phone number"},
		{"not UTF-8", "FR", "06123\xff45678", "not a phone number"},
		{"separators alone", "FR", " ( - ) ", "not a phone number"},
		{"empty", "FR", " \u202a ", "empty"},
		{"an empty URI", "FR", "tel:", "empty"},
		{"endless", "FR", strings.Repeat("0", 300), "longer than 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := addressing.ParseMSISDN(tt.in, tt.region)
			if !errors.Is(err, addressing.ErrInvalid) || !got.IsZero() || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q in %s is %q, %v; want an error that says %q", tt.in, tt.region, got, err, tt.says)
			}
		})
	}
}

func TestRules(t *testing.T) {
	tests := []struct {
		name, number string
		rules        addressing.Rules
		want         error
	}{
		{"a mobile", "+33612345678", addressing.Rules{}, nil},
		{"a range for fiction, where all may", "+33639980012", addressing.Rules{}, nil},
		{"a range for fiction, where only given out ones may", "+33639980012", addressing.Rules{Valid: true}, addressing.ErrNotInPlan},
		{"given out", "+33612345678", addressing.Rules{Valid: true}, nil},
		{"premium rate in France", "+33899123456", addressing.Rules{}, addressing.ErrPremium},
		{"premium rate in France, among valid ones", "+33899123456", addressing.Rules{Valid: true}, addressing.ErrPremium},
		{"premium rate in America", "+19005550123", addressing.Rules{}, addressing.ErrPremium},
		{"premium rate, allowed", "+33899123456", addressing.Rules{Premium: true}, nil},
		{"premium rate, allowed and valid", "+33899123456", addressing.Rules{Premium: true, Valid: true}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.rules.Check(addressing.MustParseMSISDN(tt.number)); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("Check(%s) = %v; want %v", tt.number, err, tt.want)
			}
		})
	}
}
