package pgvalue

import (
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/evertdb/evert/schema"
)

// The families of addresses, as inet_send numbers them.
const (
	familyIPv4 = 2
	familyIPv6 = 3
)

// inet prints what inet_send and cidr_send send:
//
//	family byte · prefix length byte · is cidr byte · size byte · address
//
// The prefix is left out where it is a whole address of type inet.
func (r *Reader) inet(b []byte) (schema.Value, error) {
	if len(b) < 8 || int(b[3]) != len(b)-4 || b[2] > 1 {
		return schema.Value{}, malformed(Inet, len(b))
	}
	addr, ok := netip.AddrFromSlice(b[4:])
	family := byte(familyIPv4)
	if addr.Is6() {
		family = familyIPv6
	}
	if !ok || b[0] != family || int(b[1]) > addr.BitLen() {
		return schema.Value{}, malformed(Inet, len(b))
	}
	out := appendAddr(r.packed[:0], addr)
	if b[2] == 1 || int(b[1]) < addr.BitLen() {
		out = strconv.AppendUint(append(out, '/'), uint64(b[1]), 10)
	}
	r.packed = out
	return r.printed(out), nil
}

// appendAddr prints an address as the server's inet_net_ntop does, which, unlike
// Go, writes an embedded IPv4 address as one after six zero groups as well.
func appendAddr(dst []byte, a netip.Addr) []byte {
	if !a.Is6() || a.Is4In6() {
		return a.AppendTo(dst)
	}
	raw := a.As16()
	for _, c := range raw[:12] {
		if c != 0 {
			return a.AppendTo(dst)
		}
	}
	if raw[12] == 0 && raw[13] == 0 {
		return a.AppendTo(dst)
	}
	return netip.AddrFrom4([4]byte(raw[12:])).AppendTo(append(dst, "::"...))
}

// mac prints 6 or 8 bytes as hex pairs with colons between.
func (r *Reader) mac(b []byte) (schema.Value, error) {
	if len(b) != 6 && len(b) != 8 {
		return schema.Value{}, malformed(MAC, len(b))
	}
	out := r.packed[:0]
	for i := range b {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, b[i:i+1])
	}
	r.packed = out
	return r.printed(out), nil
}
