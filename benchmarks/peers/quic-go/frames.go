package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// The part of docs/protocol.md that moves need: HELLO, MOVE, READ, and their answers. ROUTE, RELEASE, datagrams and
// tokens are not measured, so this server has none.
const (
	typeHello   = 0x01
	typeWelcome = 0x02
	typeMove    = 0x10
	typeAck     = 0x11
	typeReject  = 0x12
	typeRead    = 0x28
	typeState   = 0x29

	headerBytes = 16
	digestBytes = 32
	headBytes   = 24
	slotBytes   = 256
	frameMax    = headerBytes + digestBytes + slotBytes

	statusBadDigest   = 2
	statusOutOfBounds = 3
	statusConflict    = 5
)

// session is one connection: what WELCOME gave it, and the frame that was cut off at the end of the last read.
type session struct {
	number  uint32
	carried []byte
	answers []byte
	state   *state
}

// take decides every whole frame in data and leaves the answers, one ACK at the end for all of them, in s.answers.
func (s *session) take(data []byte) error {
	s.answers = s.answers[:0]
	if len(s.carried) > 0 {
		s.carried = append(s.carried, data...)
		data = s.carried
	}
	accepted, decided, last := false, false, uint64(0)
	for len(data) >= headerBytes {
		length := int(binary.LittleEndian.Uint16(data[2:]))
		if headerBytes+length > frameMax {
			return fmt.Errorf("a frame of %d bytes", length)
		}
		if len(data) < headerBytes+length {
			break
		}
		frame := data[:headerBytes+length]
		data = data[headerBytes+length:]
		switch {
		case frame[0] == typeHello && s.number == 0:
			s.welcome()
		case frame[0] == typeMove && length >= digestBytes+headBytes:
			if status := s.move(frame); status == 0 {
				accepted = true
			} else {
				s.reject(frame, status)
			}
			decided, last = true, binary.LittleEndian.Uint64(frame[8:])
		case frame[0] == typeRead && length == 8:
			s.read(frame)
		default:
			return fmt.Errorf("a frame of type %#x with %d bytes", frame[0], length)
		}
	}
	if decided {
		s.ack(last, accepted)
	}
	s.carried = append(s.carried[:0], data...)
	return nil
}

func (s *session) move(frame []byte) uint16 {
	packet := frame[headerBytes+digestBytes:]
	digest := sha256.New()
	digest.Write(frame[:headerBytes])
	digest.Write(packet)
	var sum [digestBytes]byte
	if subtle.ConstantTimeCompare(digest.Sum(sum[:0]), frame[headerBytes:headerBytes+digestBytes]) == 0 {
		return statusBadDigest
	}
	source, target := binary.LittleEndian.Uint32(packet), binary.LittleEndian.Uint32(packet[4:])
	payload := int(binary.LittleEndian.Uint16(packet[14:]))
	if source >= s.state.nodes || target >= s.state.nodes || source == target || packet[12] != 0 || packet[13] != 0 ||
		payload != len(packet)-headBytes {
		return statusOutOfBounds
	}
	return s.state.write(source, packet)
}

func (s *session) header(kind byte, length uint16, counter uint64) {
	s.answers = append(s.answers, kind, 0)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, length)
	s.answers = binary.LittleEndian.AppendUint32(s.answers, s.number)
	s.answers = binary.LittleEndian.AppendUint64(s.answers, counter)
}

func (s *session) welcome() {
	s.number = s.state.sessions.Add(1)
	s.header(typeWelcome, 24, 0)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, 1)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, 0)
	s.answers = binary.LittleEndian.AppendUint32(s.answers, 128)
	s.answers = binary.LittleEndian.AppendUint64(s.answers, s.state.revision.Load())
	s.answers = binary.LittleEndian.AppendUint32(s.answers, s.state.nodes)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, slotBytes)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, 0)
}

func (s *session) ack(counter uint64, accepted bool) {
	revision := s.state.revision.Load()
	if accepted {
		revision = s.state.revision.Add(1)
	}
	s.header(typeAck, 8, counter)
	s.answers = binary.LittleEndian.AppendUint64(s.answers, revision)
}

func (s *session) reject(frame []byte, status uint16) {
	s.header(typeReject, 8, binary.LittleEndian.Uint64(frame[8:]))
	s.answers = binary.LittleEndian.AppendUint16(s.answers, status)
	s.answers = binary.LittleEndian.AppendUint16(s.answers, 0)
	s.answers = append(s.answers, frame[headerBytes+digestBytes:headerBytes+digestBytes+4]...)
}

func (s *session) read(frame []byte) {
	s.header(typeState, 8+slotBytes, binary.LittleEndian.Uint64(frame[8:]))
	s.answers = binary.LittleEndian.AppendUint64(s.answers, s.state.revision.Load())
	s.answers = s.state.appendSlot(s.answers, binary.LittleEndian.Uint32(frame[headerBytes:]))
}
