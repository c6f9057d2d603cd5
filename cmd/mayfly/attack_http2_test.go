package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Frames of HTTP/2 (RFC 9113, section 6).
const (
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameContinuation = 9

	endStream  = 1
	endHeaders = 4
)

func appendFrame(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	b = append(b, byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload)), kind, flags)
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// getBlock is a field section that asks for / of localhost (RFC 7541).
var getBlock = []byte("\x82\x84\x86\x41\x09localhost")

// floods are what is sent again and again on a connection of HTTP/2.
var floods = map[string]func(b []byte, n int) []byte{
	"reset": func(b []byte, n int) []byte { // CVE-2023-44487
		b = appendFrame(b, frameHeaders, endStream|endHeaders, uint32(2*n+1), getBlock)
		return appendFrame(b, frameReset, 0, uint32(2*n+1), []byte{0, 0, 0, 8})
	},
	"continuation": func(b []byte, n int) []byte { // CVE-2024-27316
		if n == 0 {
			return appendFrame(b, frameHeaders, endStream, 1, getBlock)
		}
		return appendFrame(b, frameContinuation, 0, 1, []byte("\x40\x01a\x01b"))
	},
	"settings": func(b []byte, n int) []byte { return appendFrame(b, frameSettings, 0, 0, nil) },
	"ping":     func(b []byte, n int) []byte { return appendFrame(b, framePing, 0, 0, make([]byte, 8)) },
}

// http2Flood floods connections with frames of HTTP/2, which the server doesn't
// speak: it says so in HTTP/1.1, if anything, and closes the connection. An
// offer to upgrade is not taken.
func http2Flood(t *testing.T, _ *arena, s *attackServer, c *attackCase) {
	begin := strings.ReplaceAll(c.Parameters["begin"], "\n", "\r\n") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	offered := !strings.HasPrefix(begin, "PRI")
	var wg sync.WaitGroup
	for name, flood := range floods {
		text := appendFrame([]byte(begin), frameSettings, 0, 0, nil)
		for n := range c.number(t, "frames") {
			text = flood(text, n)
		}
		for range c.number(t, "connections") {
			wg.Go(func() {
				conn, err := net.Dial("tcp", s.address)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				sent := make(chan struct{})
				go func() { // as much as is taken
					defer close(sent)
					_, _ = conn.Write(text)
				}()
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				answer, err := io.ReadAll(conn)
				if err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("%s: the connection stays open: %v", name, err)
				}
				conn.Close()
				<-sent
				first, rest, _ := bytes.Cut(answer, []byte("\r\n"))
				switch {
				case len(answer) == 0: // closed before anything could be said
				case offered && !bytes.HasPrefix(first, []byte("HTTP/1.1 200 ")),
					!offered && !bytes.HasPrefix(first, []byte("HTTP/1.1 4")) && !bytes.HasPrefix(first, []byte("HTTP/1.1 505 ")):
					t.Errorf("%s: the answer is %s", name, short(string(answer)))
				case bytes.IndexByte(rest, 0) >= 0: // as the first byte of a short frame
					t.Errorf("%s: it is answered in frames: %s", name, short(string(answer)))
				}
			})
		}
	}
	for i := range 20 {
		if took, err := s.hello(i); err != nil || took > helloBound {
			t.Errorf("beside the flood: %v after %v", err, took)
		}
	}
	wg.Wait()
}
