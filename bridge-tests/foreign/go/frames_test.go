package foreign

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestWelcomeTellsTheLimits(t *testing.T) {
	c := greeted(t, plain, nil)
	version, streams := le.Uint16(c.welcome), le.Uint32(c.welcome[4:])
	packetMax, reserved := le.Uint16(c.welcome[20:]), le.Uint16(c.welcome[22:])
	if version != 1 || streams < 128 || le.Uint32(c.welcome[16:]) != nodesMax || packetMax != 256 || reserved != 0 {
		t.Fatalf("WELCOME %x", c.welcome)
	}
}

func TestAnotherProtocolVersionIsRefused(t *testing.T) {
	c := connect(t, plain)
	if status := c.greet(99, nil); status != VersionUnsupported {
		t.Fatalf("status %d", status)
	}
	c.mustEnd(VersionUnsupported)
}

func TestAnotherApplicationProtocolIsRefused(t *testing.T) {
	conn, err := dial(t, plain, "h3")
	if err == nil {
		_ = conn.CloseWithError(0, "")
		t.Fatal("ALPN h3 was accepted")
	}
	var transport *quic.TransportError
	if !errors.As(err, &transport) || !transport.ErrorCode.IsCryptoError() {
		t.Fatalf("refused with %v, not with an alert of TLS", err)
	}
}

func TestMoveLandsInTheSlot(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	for version, payload := range [][]byte{{}, {1}, bytes.Repeat([]byte{0xa5}, 232), {9, 9}} {
		step := Step{Source: node, Target: node + 1, Mask: 0xbeef_1234, Payload: payload}
		c.first.mustMove(OK, step)
		if slot := c.first.slot(node); !bytes.Equal(slot, step.slot(uint64(version+1))) {
			t.Fatalf("version %d: slot %x", version+1, slot)
		}
	}
}

func TestRefusedMovesChangeNothing(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	good := Step{Source: node, Target: node + 1, Mask: 5, Payload: []byte("good")}
	c.first.mustMove(OK, good)
	cases := []struct {
		step Step
		want uint16
	}{
		{Step{Source: node, Target: node + 1, SpoilDigest: true}, BadDigest},
		{Step{Source: node, Target: node}, OutOfBounds},
		{Step{Source: nodesMax, Target: node}, OutOfBounds},
		{Step{Source: node, Target: nodesMax}, OutOfBounds},
		{Step{Source: node, Target: node + 1, Weight: 1}, OutOfBounds},
		{Step{Source: node, Target: node + 1, StateByte: 1}, OutOfBounds},
		{Step{Source: node, Target: node + 1, Version: 2}, Conflict},
		{Step{Source: node + 1, Target: node, Version: 1}, Conflict},
	}
	for _, each := range cases {
		c.first.mustMove(each.want, each.step)
	}
	if slot := c.first.slot(node); !bytes.Equal(slot, good.slot(1)) {
		t.Fatalf("slot %x", slot)
	}
	good.Version = 1
	c.first.mustMove(OK, good)
}

func TestFullStoresRefuse(t *testing.T) {
	c := greeted(t, own(t, "tiny"), nil)
	for node := range uint32(3) {
		c.first.mustMove(OK, Step{Source: node, Target: 500, Mask: 1})
	}
	c.first.mustMove(GraphFull, Step{Source: 0, Target: 501, Mask: 1})
	c.first.mustMove(OK, Step{Source: 3, Target: 500})
	c.first.mustMove(ArenaExhausted, Step{Source: 4, Target: 500})
	if status := c.first.outcome(c.first.pair(Release, 0, 3, 0)); status != OK {
		t.Fatalf("RELEASE: %d", status)
	}
	c.first.mustMove(OK, Step{Source: 4, Target: 500})
}

func TestRelease(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	c.first.mustMove(OK, Step{Source: node, Target: node + 1, Mask: 3})
	for _, want := range []uint16{OK, NoSlot} {
		counter := c.first.pair(Release, ackEach, node, 0)
		if status := c.first.outcome(counter); status != want || c.first.acked != int64(counter) {
			t.Fatalf("status %d, ACK %d", status, c.first.acked)
		}
	}
	if slot := c.first.slot(node); !bytes.Equal(slot, make([]byte, slotBytes)) {
		t.Fatalf("slot %x", slot)
	}
	for _, bad := range [][2]uint32{{nodesMax, 0}, {node, 1}} {
		if status := c.first.outcome(c.first.pair(Release, 0, bad[0], bad[1])); status != OutOfBounds {
			t.Fatalf("RELEASE %v: %d", bad, status)
		}
	}
	// The version outlives the slot.
	c.first.mustMove(OK, Step{Source: node, Target: node + 1})
	if version := le.Uint64(c.first.slot(node)[16:]); version != 2 {
		t.Fatalf("version %d", version)
	}
}

func TestAcksAreCumulativeAndRejectsInOrder(t *testing.T) {
	c := greeted(t, plain, nil)
	s := c.open()
	node := nodes(301)
	var out []byte
	want := map[uint64]uint16{}
	flagged := map[uint64]bool{}
	for index := range uint32(300) {
		step := Step{Source: node + index, Target: node + index + 1, SpoilDigest: index%5 == 3}
		flags := byte(0)
		counter := s.claim()
		if index%7 == 0 {
			flags, flagged[counter] = ackEach, true
		}
		if step.SpoilDigest {
			want[counter] = BadDigest
		}
		out = append(out, step.frame(c.session, counter, flags)...)
	}
	// In pieces that cut frames anywhere.
	for _, piece := range slices.Collect(slices.Chunk(out, 333)) {
		s.write(piece)
	}
	last := uint64(0)
	for s.acked < 299 {
		frame := s.frame()
		if frame.Kind == Reject {
			if frame.Counter <= last && last > 0 {
				t.Fatalf("REJECT %d after %d", frame.Counter, last)
			}
			last = frame.Counter
		} else {
			delete(flagged, frame.Counter)
		}
	}
	if len(flagged) != 0 {
		t.Fatalf("no ACK of their own: %v", flagged)
	}
	if len(want) != len(s.refused) {
		t.Fatalf("%d refused, not %d", len(s.refused), len(want))
	}
	for counter, status := range want {
		if s.refused[counter] != status {
			t.Fatalf("frame %d: %d", counter, s.refused[counter])
		}
	}
}

func TestRoutes(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(6)
	for _, edge := range [][3]uint32{{0, 1, 3}, {1, 2, 4}, {0, 2, 9}, {2, 3, 0x0100}, {0, 4, 2}, {4, 2, 5}} {
		c.first.mustMove(OK, Step{Source: node + edge[0], Target: node + edge[1], Mask: edge[2]})
	}
	// Over 1 and over 4 it is 7 to 2; the lower predecessor wins.
	distance, path := c.first.path(node, node+3)
	if want := []uint32{node, node + 1, node + 2, node + 3}; distance != 8 || !slices.Equal(path, want) {
		t.Fatalf("distance %d over %v, not 8 over %v", distance, path, want)
	}
	if distance, path := c.first.path(node, node); distance != 0 || !slices.Equal(path, []uint32{node}) {
		t.Fatalf("to itself: %d over %v", distance, path)
	}
	if distance, path := c.first.path(node+3, node); distance != noPath || len(path) != 0 {
		t.Fatalf("no way: %d over %v", distance, path)
	}
	// Mask 0 removes an edge.
	c.first.mustMove(OK, Step{Source: node + 2, Target: node + 3})
	if distance, _ := c.first.path(node, node+3); distance != noPath {
		t.Fatalf("the edge is still there: %d", distance)
	}
	refused := c.first.answer(c.first.pair(Route, 0, node, nodesMax))
	if refused.Kind != Reject || le.Uint16(refused.Body) != OutOfBounds || le.Uint32(refused.Body[4:]) != nodesMax {
		t.Fatalf("ROUTE out of bounds: %v", refused)
	}
}

func TestReadOutOfBounds(t *testing.T) {
	c := greeted(t, plain, nil)
	for _, bad := range [][2]uint32{{nodesMax, 0}, {1, 1}} {
		refused := c.first.answer(c.first.pair(Read, 0, bad[0], bad[1]))
		if refused.Kind != Reject || le.Uint16(refused.Body) != OutOfBounds {
			t.Fatalf("READ %v: %v", bad, refused)
		}
	}
}

func TestStreamsEnd(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	s := c.open()
	counter := s.move(Step{Source: node, Target: node + 1}, 0)
	s.write(pair(Read, 0, c.session, s.claim(), node, 0)[:20]) // a frame cut off by FIN
	if err := s.quic.Close(); err != nil {
		t.Fatal(err)
	}
	if status := s.outcome(counter); status != OK {
		t.Fatalf("status %d", status)
	}
	for {
		if err := s.more(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatalf("after FIN: %v", err)
			}
			break
		}
	}
	// Other streams, and those that come, go on.
	reset := c.open()
	reset.move(Step{Source: node, Target: node + 1}, 0)
	reset.quic.CancelWrite(0)
	reset.quic.CancelRead(0)
	c.open().mustMove(OK, Step{Source: node, Target: node + 1})
}

func TestManyStreamsAtOnce(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(128)
	streams := make([]*stream, 127) // and the first
	for index := range streams {
		streams[index] = c.open()
		streams[index].move(Step{Source: node + uint32(index), Target: node + uint32(index) + 1}, 0)
	}
	for index, s := range streams {
		if status := s.outcome(0); status != OK {
			t.Fatalf("stream %d: %d", index, status)
		}
	}
}

func TestTokens(t *testing.T) {
	soon := uint64(time.Now().Add(time.Minute).UnixMilli())
	good := token(secret, tokenKey, 0, soon, 10, 19, 1)
	forged := slices.Clone(good)
	forged[20]++
	for name, bad := range map[string][]byte{"none": nil, "forged": forged, "short": good[:63],
		"expired": token(secret, tokenKey, 0, 1, 10, 19, 1), "unknown key": token(secret, 8, 0, soon, 10, 19, 1)} {
		c := connect(t, tokens)
		if status := c.greet(protocolVersion, bad); status != Unauthorized {
			t.Fatalf("%s: status %d", name, status)
		}
		c.mustEnd(Unauthorized)
	}
	c := greeted(t, tokens, good)
	c.first.mustMove(OK, Step{Source: 10, Target: 900})
	c.first.mustMove(OK, Step{Source: 19, Target: 900})
	c.first.mustMove(Forbidden, Step{Source: 20, Target: 10})
	if status := c.first.outcome(c.first.pair(Release, 0, 9, 0)); status != Forbidden {
		t.Fatalf("RELEASE outside: %d", status)
	}
}

func TestClosingIsConfirmed(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	c.first.move(Step{Source: node, Target: node + 1}, 0)
	body := append(le.AppendUint16(le.AppendUint16(nil, 0), 3), "bye"...)
	c.first.write(Frame{Close, 0, c.session, c.first.claim(), body}.Bytes())
	c.mustEnd(OK)
	// What came before it was applied.
	other := greeted(t, plain, nil)
	if version := le.Uint64(other.first.slot(node)[16:]); version != 1 {
		t.Fatalf("version %d", version)
	}
}
