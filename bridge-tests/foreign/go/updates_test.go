package foreign

import (
	"bytes"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// told is what an UPDATE or a LATEST says.
type told struct {
	version uint64
	node    uint32
	order   uint32
	slot    []byte
}

func toldBy(frame *Frame) told {
	slot := make([]byte, slotBytes)
	copy(slot, frame.Body[32:])
	return told{le.Uint64(frame.Body[16:]), le.Uint32(frame.Body[24:]), le.Uint32(frame.Body[28:]), slot}
}

// updates is the stream of updates.
type updates struct {
	client *client
	quic   *quic.ReceiveStream
	unread []byte
	next   uint64
}

func (c *client) updates() *updates {
	c.t.Helper()
	opened, err := c.conn.AcceptUniStream(limited(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	return &updates{client: c, quic: opened}
}

func (u *updates) frame() told {
	u.client.t.Helper()
	for {
		frame, rest, err := cut(u.unread)
		if err != nil {
			u.client.t.Fatal(err)
		}
		if frame != nil {
			u.client.check(frame)
			if frame.Kind != Update || frame.Counter != u.next {
				u.client.t.Fatalf("%+v in place of update %d", frame, u.next)
			}
			u.next++
			u.unread = rest
			return toldBy(frame)
		}
		_ = u.quic.SetReadDeadline(time.Now().Add(waitLimit))
		buffer := make([]byte, 4096)
		count, err := u.quic.Read(buffer)
		u.unread = append(u.unread, buffer[:count]...)
		if count == 0 && err != nil {
			u.client.t.Fatalf("waiting for an update: %v", err)
		}
	}
}

// subscribe asks to be told of nodes, and returns of how many the session is told then.
func (c *client) subscribe(kind byte, listed ...uint32) uint32 {
	c.t.Helper()
	counter := c.first.claim()
	c.first.write(list(kind, c.session, counter, listed...))
	frame := c.first.answer(counter)
	if frame.Kind != Subscribed {
		c.t.Fatalf("refused: %+v", frame)
	}
	return le.Uint32(frame.Body[8:])
}

func watching(t *testing.T, version uint16) *client {
	t.Helper()
	c := connect(t, plain)
	if status := c.greet(version, nil); status != OK || le.Uint16(c.welcome) != version {
		t.Fatalf("WELCOME with status %d, version %d", status, le.Uint16(c.welcome))
	}
	return c
}

func TestUpdatesComeByTheStream(t *testing.T) {
	node := nodes(2)
	c, other := watching(t, 2), greeted(t, plain, nil)
	if count := c.subscribe(Subscribe, node); count != 1 {
		t.Fatalf("told of %d nodes", count)
	}
	stream := c.updates()
	if first := stream.frame(); first.node != node || first.version != 0 || first.order != 0 {
		t.Fatalf("%+v is no snapshot in version 2", first)
	}
	for version, payload := range [][]byte{{}, {1}, bytes.Repeat([]byte{0xa5}, 232)} {
		step := Step{Source: node, Target: node + 1, Payload: payload}
		other.first.mustMove(OK, step)
		if next := stream.frame(); next.version != uint64(version+1) || !bytes.Equal(next.slot, step.slot(next.version)) {
			t.Fatalf("%+v after %+v", next, step)
		}
	}
	if count := c.subscribe(Unsubscribe); count != 0 {
		t.Fatalf("told of %d nodes", count)
	}
}

func TestUpdatesComeByDatagramAndRestOnTheStream(t *testing.T) {
	node := nodes(2)
	c, other := watching(t, versionLatest), greeted(t, plain, nil)
	if count := c.subscribe(SubscribeLatest, node); count != 1 {
		t.Fatalf("told of %d nodes", count)
	}
	var last told
	for version := range uint64(4) {
		step := Step{Source: node, Target: node + 1, Payload: []byte{byte(version)}}
		if version > 0 {
			other.first.mustMove(OK, step)
		}
		frame := c.received()
		last = toldBy(frame)
		if frame.Kind != Latest || frame.Counter != version || last.node != node || last.version != version {
			t.Fatalf("%+v in place of version %d", frame, version)
		}
		if version > 0 && !bytes.Equal(last.slot, step.slot(version)) {
			t.Fatalf("%+v after %+v", last, step)
		}
	}
	if rested := c.updates().frame(); rested.order != last.order || !bytes.Equal(rested.slot, last.slot) {
		t.Fatalf("%+v rests, %+v was the last", rested, last)
	}
}

func TestVersion2HasNoDatagramsOfUpdates(t *testing.T) {
	c := watching(t, 2)
	c.first.write(list(SubscribeLatest, c.session, c.first.claim(), 1))
	c.mustEnd(Malformed)
}
