// A server as a Go team would write it: quic-go with its defaults, a goroutine a connection, the frames of
// docs/protocol.md that moves need. Measured beside Lodestone by benchmarks/quic.py.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// idleTimeout is the one of the protocol.
const idleTimeout = 30 * time.Second

// readBytes is what one read of a stream may bring: 150 moves of 64 bytes.
const readBytes = 16 * 1024

func main() {
	folder := flag.String("certificates", "", "folder with cert.pem and key.pem")
	nodes := flag.Uint("nodes", 65_536, "nodes, and slots")
	flag.Parse()
	if err := serve(*folder, uint32(*nodes)); err != nil {
		log.Fatal(err)
	}
}

func serve(folder string, nodes uint32) error {
	pair, err := tls.LoadX509KeyPair(folder+"/cert.pem", folder+"/key.pem")
	if err != nil {
		return err
	}
	listener, err := quic.ListenAddr("127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"lodestone/1"},
		MinVersion:   tls.VersionTLS13,
	}, &quic.Config{
		// As Lodestone has them: 30 s, no unidirectional streams, 128 bidirectional ones.
		MaxIdleTimeout:        idleTimeout,
		MaxIncomingStreams:    128,
		MaxIncomingUniStreams: -1,
	})
	if err != nil {
		return err
	}
	context, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	fmt.Printf("LODESTONE READY quic=%s cert=%s/cert.pem pid=%d\n", listener.Addr(), folder, os.Getpid())
	state := newState(nodes)
	for {
		connection, err := listener.Accept(context)
		if err != nil {
			return nil
		}
		go accept(context, connection, state)
	}
}

func accept(context context.Context, connection *quic.Conn, state *state) {
	for {
		stream, err := connection.AcceptStream(context)
		if err != nil {
			return
		}
		serveStream(connection, stream, state)
	}
}

// serveStream ends with the stream: this server serves one stream of a connection at a time.
func serveStream(connection *quic.Conn, stream *quic.Stream, state *state) {
	session := session{state: state}
	buffer := make([]byte, readBytes)
	for {
		count, err := stream.Read(buffer)
		if count > 0 {
			if wrong := session.take(buffer[:count]); wrong != nil {
				connection.CloseWithError(1, wrong.Error())
				return
			}
			if _, wrong := stream.Write(session.answers); wrong != nil {
				return
			}
		}
		if err != nil {
			stream.Close()
			return
		}
	}
}
