package foreign

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// waitLimit ends every wait; nothing is asserted about time.
const waitLimit = 90 * time.Second

// client is one connection and its session.
type client struct {
	t       *testing.T
	conn    *quic.Conn
	session uint32
	welcome []byte
	first   *stream
	// counter of the next datagram.
	datagram uint64
}

// stream sends frames under rising counters and reads answers.
type stream struct {
	client *client
	quic   *quic.Stream
	next   uint64
	unread []byte
	acked  int64
	// statuses of frames that were refused, revision of the last answer.
	refused  map[uint64]uint16
	revision uint64
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, server *served, alpn string) (*quic.Conn, error) {
	pem, err := os.ReadFile(server.certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("the server's certificate is no PEM")
	}
	return quic.DialAddr(limited(t), server.address, &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{alpn}},
		&quic.Config{EnableDatagrams: true, MaxIdleTimeout: 30 * time.Second})
}

// connect opens a connection and sends nothing.
func connect(t *testing.T, server *served) *client {
	t.Helper()
	conn, err := dial(t, server, "lodestone/1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	c := &client{t: t, conn: conn, datagram: 1}
	c.first = c.open()
	return c
}

// greeted opens a session.
func greeted(t *testing.T, server *served, token []byte) *client {
	t.Helper()
	c := connect(t, server)
	if status := c.greet(protocolVersion, token); status != OK {
		t.Fatalf("WELCOME with status %d", status)
	}
	return c
}

// greet sends HELLO and returns the status of WELCOME.
func (c *client) greet(version uint16, token []byte) uint16 {
	c.t.Helper()
	c.first.write(hello(version, token))
	c.first.next = 1
	frame, err := c.first.tryFrame()
	var closed *quic.ApplicationError
	if errors.As(err, &closed) && closed.Remote && closed.ErrorCode != OK {
		// quic-go hands out nothing that it had not handed out when the connection ended; the code says the same.
		return uint16(closed.ErrorCode)
	}
	if err != nil {
		c.t.Fatalf("waiting for WELCOME: %v", err)
	}
	if frame.Kind != Welcome || frame.Counter != 0 {
		c.t.Fatalf("HELLO was answered %+v", frame)
	}
	c.welcome = frame.Body
	status := le.Uint16(frame.Body[2:])
	if (status == OK) != (frame.Session != 0) {
		c.t.Fatalf("WELCOME with status %d for session %d", status, frame.Session)
	}
	c.session = frame.Session
	return status
}

func (c *client) open() *stream {
	c.t.Helper()
	opened, err := c.conn.OpenStreamSync(limited(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	return &stream{client: c, quic: opened, acked: -1, refused: map[uint64]uint16{}}
}

// ended waits for the end of the connection and returns its application code.
func (c *client) ended() (uint64, string) {
	c.t.Helper()
	select {
	case <-c.conn.Context().Done():
	case <-time.After(waitLimit):
		c.t.Fatal("the connection goes on")
	}
	var closed *quic.ApplicationError
	if cause := context.Cause(c.conn.Context()); !errors.As(cause, &closed) || !closed.Remote {
		c.t.Fatalf("the connection ended by %v, not by the server's application", cause)
	}
	return uint64(closed.ErrorCode), closed.ErrorMessage
}

func (c *client) mustEnd(status uint64) {
	c.t.Helper()
	if code, text := c.ended(); code != status {
		c.t.Fatalf("the connection ended with %d %q, not %d", code, text, status)
	}
}

// send sends one datagram.
func (c *client) send(data []byte) {
	c.t.Helper()
	if err := c.conn.SendDatagram(data); err != nil {
		c.t.Fatal(err)
	}
}

// received is the next frame that comes as a datagram.
func (c *client) received() *Frame {
	c.t.Helper()
	data, err := c.conn.ReceiveDatagram(limited(c.t))
	if err != nil {
		c.t.Fatal(err)
	}
	frame, rest, err := cut(data)
	if err != nil || frame == nil || len(rest) != 0 {
		c.t.Fatalf("a datagram that is not one frame: %x (%v)", data, err)
	}
	c.check(frame)
	return frame
}

// check holds a header against the page.
func (c *client) check(frame *Frame) {
	c.t.Helper()
	if frame.Flags != 0 {
		c.t.Fatalf("the server set flags: %+v", frame)
	}
	if frame.Kind != Welcome && frame.Kind != Close && frame.Session != c.session {
		c.t.Fatalf("a frame for session %d in session %d", frame.Session, c.session)
	}
}

func (s *stream) write(data []byte) {
	s.client.t.Helper()
	if _, err := s.quic.Write(data); err != nil {
		s.client.t.Fatal(err)
	}
}

// claim is the counter of the next frame.
func (s *stream) claim() uint64 {
	s.next++
	return s.next - 1
}

func (s *stream) move(step Step, flags byte) uint64 {
	s.client.t.Helper()
	counter := s.claim()
	s.write(step.frame(s.client.session, counter, flags))
	return counter
}

func (s *stream) pair(kind, flags byte, first, second uint32) uint64 {
	s.client.t.Helper()
	counter := s.claim()
	s.write(pair(kind, flags, s.client.session, counter, first, second))
	return counter
}

// more reads bytes; the error is that of the stream.
func (s *stream) more() error {
	_ = s.quic.SetReadDeadline(time.Now().Add(waitLimit))
	buffer := make([]byte, 4096)
	count, err := s.quic.Read(buffer)
	s.unread = append(s.unread, buffer[:count]...)
	if count > 0 {
		return nil
	}
	return err
}

// frame is the next frame of the server; it must come.
func (s *stream) frame() *Frame {
	s.client.t.Helper()
	frame, err := s.tryFrame()
	if err != nil {
		s.client.t.Fatalf("waiting for a frame: %v", err)
	}
	return frame
}

// tryFrame is the next frame of the server, or why none comes.
func (s *stream) tryFrame() (*Frame, error) {
	s.client.t.Helper()
	for {
		frame, rest, err := cut(s.unread)
		if err != nil {
			s.client.t.Fatal(err)
		}
		if frame != nil {
			s.unread = rest
			s.client.check(frame)
			s.note(frame)
			return frame, nil
		}
		if err := s.more(); err != nil {
			return nil, err
		}
	}
}

// note keeps the books of ACK and REJECT, and of the revision, which never falls.
func (s *stream) note(frame *Frame) {
	s.client.t.Helper()
	switch frame.Kind {
	case Ack:
		if int64(frame.Counter) < s.acked || frame.Counter >= s.next {
			s.client.t.Fatalf("ACK %d after ACK %d, %d frames were sent", frame.Counter, s.acked, s.next)
		}
		s.acked = int64(frame.Counter)
	case Reject:
		if _, twice := s.refused[frame.Counter]; twice || int64(frame.Counter) <= s.acked && s.acked >= 0 {
			s.client.t.Fatalf("REJECT %d after ACK %d", frame.Counter, s.acked)
		}
		s.refused[frame.Counter] = le.Uint16(frame.Body)
	}
	if frame.Kind == Ack || frame.Kind == State {
		revision := le.Uint64(frame.Body)
		if revision < s.revision {
			s.client.t.Fatalf("revision %d after %d", revision, s.revision)
		}
		s.revision = revision
	}
}

// outcome reads until the frame is decided and returns its status.
func (s *stream) outcome(counter uint64) uint16 {
	s.client.t.Helper()
	for s.acked < int64(counter) {
		s.frame()
	}
	return s.refused[counter]
}

// answer reads until STATE, PATH or REJECT of this counter.
func (s *stream) answer(counter uint64) *Frame {
	s.client.t.Helper()
	for {
		if frame := s.frame(); frame.Counter == counter && frame.Kind != Ack {
			return frame
		}
	}
}

func (s *stream) mustMove(want uint16, step Step) {
	s.client.t.Helper()
	if status := s.outcome(s.move(step, 0)); status != want {
		s.client.t.Fatalf("%+v: status %d, not %d", step, status, want)
	}
}

// slot is the node's slot as READ shows it.
func (s *stream) slot(node uint32) []byte {
	s.client.t.Helper()
	frame := s.answer(s.pair(Read, 0, node, 0))
	if frame.Kind != State {
		s.client.t.Fatalf("READ %d was answered %+v", node, frame)
	}
	return frame.Body[8:]
}

// path is the body of PATH, taken apart.
func (s *stream) path(source, target uint32) (distance uint64, nodes []uint32) {
	s.client.t.Helper()
	frame := s.answer(s.pair(Route, 0, source, target))
	if frame.Kind != Path || le.Uint32(frame.Body[20:]) != 0 {
		s.client.t.Fatalf("ROUTE was answered %+v", frame)
	}
	for at := 24; at < len(frame.Body); at += 4 {
		nodes = append(nodes, le.Uint32(frame.Body[at:]))
	}
	if total := le.Uint32(frame.Body[16:]); int(total) != len(nodes) {
		s.client.t.Fatalf("PATH of %d nodes lists %d", total, len(nodes))
	}
	return le.Uint64(frame.Body[8:]), nodes
}

// String shows a frame in failures.
func (f *Frame) String() string {
	return fmt.Sprintf("type %#x session %d counter %d body %x", f.Kind, f.Session, f.Counter, f.Body)
}
