package listener

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A frame is one request as it lies on the wire
// (https://kafka.apache.org/protocol#protocol_messages):
//
//	size:4 | key:2 version:2 correlation:4 client:string [tags] | body
//	         └── request header v1, or v2 with tags ──────────┘
//
// and an answer is
//
//	size:4 | correlation:4 [tags] | body
type frame struct {
	key         int16
	version     int16
	correlation int32
	client      string // as the client names itself, shortened
	body        []byte // valid until the next read
}

const (
	shortestFrame = 8        // key, version, correlation
	keptBytes     = 32 << 10 // of a buffer between two requests
	strangerBytes = 16 << 10 // the largest request before a login
	clientLength  = 64
)

// readFrame reads one request of at most limit bytes into buf and gives the
// buffer that it used. It is io.EOF at the end between two requests.
func readFrame(r io.Reader, buf []byte, limit int) (frame, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, buf, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < shortestFrame || size > limit {
		return frame{}, buf, &refusal{"a request of a size that is not accepted", fmt.Sprintf("%d bytes, from %d to %d are", size, shortestFrame, limit)}
	}
	buf = slices.Grow(buf[:0], size)[:size]
	if _, err := io.ReadFull(r, buf); err != nil {
		return frame{}, buf, err
	}
	f := frame{
		key:         int16(binary.BigEndian.Uint16(buf)),
		version:     int16(binary.BigEndian.Uint16(buf[2:])),
		correlation: int32(binary.BigEndian.Uint32(buf[4:])),
		body:        buf[shortestFrame:],
	}
	return f, buf, nil
}

var errHeader = errors.New("the header of the request is cut short")

// header reads the rest of the request's header off the body.
func (f *frame) header(flexible bool) error {
	if len(f.body) < 2 {
		return errHeader
	}
	n := int(int16(binary.BigEndian.Uint16(f.body)))
	rest := f.body[2:]
	if n > len(rest) || n < -1 {
		return errHeader
	}
	n = max(n, 0)
	f.client, f.body = string(rest[:min(n, clientLength)]), rest[n:]
	if !flexible {
		return nil
	}
	var ok bool
	if f.body, ok = skipTags(f.body); !ok {
		return errHeader
	}
	return nil
}

// appendAnswer writes an answer behind dst.
func appendAnswer(dst []byte, correlation int32, answer kmsg.Response) []byte {
	begin := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	// The header of an answer to ApiVersions never has tags: a client reads it
	// before it knows our versions (KIP-511).
	if answer.IsFlexible() && answer.Key() != int16(kmsg.ApiVersions) {
		dst = append(dst, 0)
	}
	dst = answer.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[begin:], uint32(len(dst)-begin-4))
	return dst
}

// A refusal ends a connection, for a reason of which there are few.
type refusal struct{ why, detail string }

func (r *refusal) Error() string { return r.why + ": " + r.detail }

// name gives the name of a kind of request.
func name(key int16) string {
	if n := kmsg.NameForKey(key); n != "" && n != "Unknown" {
		return n
	}
	return "request " + strconv.Itoa(int(key))
}
