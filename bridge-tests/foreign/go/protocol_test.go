package foreign

import (
	"testing"
)

func TestProtocolErrorsEndTheConnection(t *testing.T) {
	node := nodes(2)
	step := Step{Source: node, Target: node + 1}
	cases := map[string]func(c *client) []byte{
		"unknown type":      func(c *client) []byte { return Frame{0x55, 0, c.session, 1, make([]byte, 8)}.Bytes() },
		"a server's frame":  func(c *client) []byte { return Frame{Ack, 0, c.session, 1, make([]byte, 8)}.Bytes() },
		"length of MOVE":    func(c *client) []byte { return Frame{Move, 0, c.session, 1, make([]byte, 55)}.Bytes() },
		"length of READ":    func(c *client) []byte { return Frame{Read, 0, c.session, 1, make([]byte, 9)}.Bytes() },
		"another session":   func(c *client) []byte { return step.frame(c.session+1, 1, 0) },
		"a flag":            func(c *client) []byte { return step.frame(c.session, 1, 2) },
		"a gap":             func(c *client) []byte { return step.frame(c.session, 2, 0) },
		"the same counter":  func(c *client) []byte { return step.frame(c.session, 0, 0) },
		"HELLO once more":   func(*client) []byte { return hello(protocolVersion, nil) },
		"only a bad header": func(c *client) []byte { return Frame{0x55, 0, c.session, 1, make([]byte, 8)}.Bytes()[:16] },
	}
	for name, build := range cases {
		t.Run(name, func(t *testing.T) {
			c := greeted(t, plain, nil)
			c.first.write(build(c))
			c.mustEnd(Malformed)
		})
	}
	t.Run("anything before HELLO", func(t *testing.T) {
		c := connect(t, plain)
		c.first.write(step.frame(0, 0, 0))
		c.mustEnd(Malformed)
	})
	t.Run("frames before the fault stay", func(t *testing.T) {
		c := greeted(t, plain, nil)
		node := nodes(2)
		good := Step{Source: node, Target: node + 1}.frame(c.session, 1, 0)
		c.first.write(append(good, Frame{0x55, 0, c.session, 2, nil}.Bytes()...))
		c.mustEnd(Malformed)
		if version := le.Uint64(greeted(t, plain, nil).first.slot(node)[16:]); version != 1 {
			t.Fatalf("version %d", version)
		}
	})
}

func TestDatagrams(t *testing.T) {
	c := greeted(t, plain, nil)
	node := nodes(2)
	step := Step{Source: node, Target: node + 1, Payload: []byte("by datagram")}
	expect := func(kind byte, counter uint64, status uint16) {
		t.Helper()
		frame := c.received()
		if frame.Kind != kind || frame.Counter != counter || kind == Reject && le.Uint16(frame.Body) != status {
			t.Fatalf("%v instead of type %#x for %d", frame, kind, counter)
		}
	}
	c.send(step.frame(c.session, 10, ackEach))
	expect(Ack, 10, OK)
	c.send(step.frame(c.session, 10, ackEach))
	expect(Reject, 10, Replayed)
	spoilt := step
	spoilt.SpoilDigest = true
	c.send(spoilt.frame(c.session, 11, ackEach))
	expect(Reject, 11, BadDigest)
	c.send(step.frame(c.session, 1000, 0)) // no answer
	c.send(pair(Read, 0, c.session, 1001, node, 0))
	frame := c.received()
	if frame.Kind != State || frame.Counter != 1001 {
		t.Fatalf("READ was answered %v", frame)
	}
	if want := step.slot(2); string(frame.Body[8:]) != string(want) {
		t.Fatalf("slot %x, not %x", frame.Body[8:], want)
	}
	c.send(pair(Release, ackEach, c.session, 1002, node, 0))
	expect(Ack, 1002, OK)
	c.send(pair(Release, ackEach, c.session, 1003, node, 0))
	expect(Reject, 1003, NoSlot)
	// Counters of datagrams and of streams have nothing to do with each other.
	c.first.mustMove(OK, step)
}

func TestDatagramsThatAreNoFrameEndTheConnection(t *testing.T) {
	for name, build := range map[string]func(session uint32) []byte{
		"a byte too many": func(session uint32) []byte { return append(pair(Read, 0, session, 1, 0, 0), 0) },
		"cut off":         func(session uint32) []byte { return pair(Read, 0, session, 1, 0, 0)[:20] },
		"ROUTE":           func(session uint32) []byte { return pair(Route, 0, session, 1, 0, 1) },
		"another session": func(session uint32) []byte { return pair(Read, 0, session+1, 1, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			c := greeted(t, plain, nil)
			c.send(build(c.session))
			c.mustEnd(Malformed)
		})
	}
}

func TestShutdownIsTold(t *testing.T) {
	server := own(t, "plain")
	c := greeted(t, server, nil)
	if err := server.stop(); err != nil {
		t.Fatalf("the server ended with %v", err)
	}
	c.mustEnd(ShuttingDown)
}
