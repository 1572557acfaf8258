// Package foreign is a client of Lodestone in Go, on quic-go, written from docs/protocol.md alone. It is a test tool: it
// holds every frame that arrives against the page.
package foreign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// Frame types.
const (
	Hello   = 0x01
	Welcome = 0x02
	Move    = 0x10
	Ack     = 0x11
	Reject  = 0x12
	Release = 0x18
	Route   = 0x20
	Path    = 0x21
	Read    = 0x28
	State   = 0x29
	Close   = 0x7e

	Subscribe       = 0x30
	Subscribed      = 0x31
	Unsubscribe     = 0x32
	Update          = 0x38
	Latest          = 0x39
	SubscribeLatest = 0x3a
)

// Statuses that the tests meet.
const (
	OK                 = 0
	Malformed          = 1
	BadDigest          = 2
	OutOfBounds        = 3
	Forbidden          = 4
	Conflict           = 5
	ArenaExhausted     = 6
	GraphFull          = 7
	Unauthorized       = 9
	VersionUnsupported = 10
	Replayed           = 11
	ShuttingDown       = 13
	NoSlot             = 14
)

const (
	protocolVersion = 1
	versionLatest   = 3
	headerBytes     = 16
	slotBytes       = 256
	ackEach         = 1
	noPath          = math.MaxUint64
)

var le = binary.LittleEndian

// Frame is one whole frame.
type Frame struct {
	Kind, Flags byte
	Session     uint32
	Counter     uint64
	Body        []byte
}

// Bytes are the frame as it travels.
func (f Frame) Bytes() []byte {
	out := []byte{f.Kind, f.Flags}
	out = le.AppendUint16(out, uint16(len(f.Body)))
	out = le.AppendUint32(out, f.Session)
	out = le.AppendUint64(out, f.Counter)
	return append(out, f.Body...)
}

// Step is what a MOVE asks for.
type Step struct {
	Source, Target, Mask uint32
	Version              uint64
	Payload              []byte
	// What a good client leaves 0, and a digest to spoil.
	Weight, StateByte byte
	SpoilDigest       bool
}

func (s Step) packet() []byte {
	out := le.AppendUint32(nil, s.Source)
	out = le.AppendUint32(out, s.Target)
	out = le.AppendUint32(out, s.Mask)
	out = append(out, s.Weight, s.StateByte)
	out = le.AppendUint16(out, uint16(len(s.Payload)))
	out = le.AppendUint64(out, s.Version)
	return append(out, s.Payload...)
}

func (s Step) frame(session uint32, counter uint64, flags byte) []byte {
	packet := s.packet()
	frame := Frame{Move, flags, session, counter, make([]byte, sha256.Size+len(packet))}
	copy(frame.Body[sha256.Size:], packet)
	digest := sha256.Sum256(append(frame.Bytes()[:headerBytes:headerBytes], packet...))
	if s.SpoilDigest {
		digest[31] ^= 1
	}
	copy(frame.Body, digest[:])
	return frame.Bytes()
}

// slot is what the slot must hold after the step was accepted as the node's version-th.
func (s Step) slot(version uint64) []byte {
	out := make([]byte, slotBytes)
	copy(out, s.packet())
	out[12] = byte(s.Mask) ^ byte(s.Mask>>8)
	out[13] = 1
	le.PutUint64(out[16:], version)
	return out
}

func pair(kind, flags byte, session uint32, counter uint64, first, second uint32) []byte {
	return Frame{kind, flags, session, counter, le.AppendUint32(le.AppendUint32(nil, first), second)}.Bytes()
}

func hello(version uint16, token []byte) []byte {
	body := le.AppendUint16(le.AppendUint16(nil, version), uint16(len(token)))
	return Frame{Hello, 0, 0, 0, append(body, token...)}.Bytes()
}

func token(secret []byte, key, tenant uint32, expiresMs uint64, first, last uint32, nonce uint64) []byte {
	out := le.AppendUint32(le.AppendUint32(nil, key), tenant)
	out = le.AppendUint64(out, expiresMs)
	out = le.AppendUint32(le.AppendUint32(out, first), last)
	out = le.AppendUint64(out, nonce)
	mac := hmac.New(sha256.New, secret)
	mac.Write(out)
	return mac.Sum(out)
}

func list(kind byte, session uint32, counter uint64, listed ...uint32) []byte {
	var body []byte
	for _, node := range listed {
		body = le.AppendUint32(body, node)
	}
	return Frame{kind, 0, session, counter, body}.Bytes()
}

// lengths that the page allows a server's frame to have.
func lengthAllowed(kind byte, length int) bool {
	switch kind {
	case Welcome:
		return length == 24
	case Ack, Reject:
		return length == 8
	case Path:
		return length >= 24 && length <= 24+4*8192 && length%4 == 0
	case State:
		return length == 8+slotBytes
	case Subscribed:
		return length == 16
	case Update, Latest:
		return length == 32 || length >= 32+24 && length <= 32+slotBytes
	case Close:
		return length >= 4 && length <= 4+1024
	}
	return false
}

// cut takes the first frame off data; nil until it is whole.
func cut(data []byte) (*Frame, []byte, error) {
	if len(data) < headerBytes {
		return nil, data, nil
	}
	length := int(le.Uint16(data[2:]))
	if !lengthAllowed(data[0], length) {
		return nil, data, fmt.Errorf("a server sends no frame of type %#x with %d bytes", data[0], length)
	}
	if len(data) < headerBytes+length {
		return nil, data, nil
	}
	frame := &Frame{data[0], data[1], le.Uint32(data[4:]), le.Uint64(data[8:]), data[headerBytes : headerBytes+length]}
	return frame, data[headerBytes+length:], nil
}
