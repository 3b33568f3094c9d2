package smpp

// padding fills the last octet where exactly seven bits are left over: zeros would read
// as an @ (3GPP TS 23.038, 6.1.2.3.1). It is the carriage return.
const padding byte = 0x0D

// fillBits are the bits between a user data header of header octets, its length octet
// included, and the first septet, which begins on a septet boundary (3GPP TS 23.040,
// 9.2.3.24).
func fillBits(header int) int { return (7 - header*8%7) % 7 }

// pack puts eight septets into seven octets, behind fill bits (3GPP TS 23.038, 6.1.2.1).
func pack(septets []byte, fill int) []byte {
	octets := make([]byte, 0, (fill+7*len(septets)+7)/8)
	bits, n := uint(0), fill // n bits of the next octet are in bits
	for _, s := range septets {
		bits |= uint(s&0x7F) << n
		for n += 7; n >= 8; n -= 8 {
			octets = append(octets, byte(bits))
			bits >>= 8
		}
	}
	switch {
	case n == 1:
		octets = append(octets, byte(bits|uint(padding)<<1))
	case n > 0:
		octets = append(octets, byte(bits))
	}
	return octets
}

// unpack is the reverse of pack. SMPP counts octets, not septets, so a carriage return
// that ends with the last octet is taken for padding.
func unpack(octets []byte, fill int) []byte {
	septets := make([]byte, 0, len(octets)*8/7)
	bits, n := uint(0), -fill // n bits in bits are not read yet
	for _, o := range octets {
		if n < 0 {
			bits, n = uint(o)>>-n, n+8
		} else {
			bits, n = bits|uint(o)<<n, n+8
		}
		for ; n >= 7; n -= 7 {
			septets = append(septets, byte(bits&0x7F))
			bits >>= 7
		}
	}
	if last := len(septets) - 1; n == 0 && last >= 0 && septets[last] == padding {
		septets = septets[:last]
	}
	return septets
}
