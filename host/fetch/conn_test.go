package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"mayfly/host/op"
)

// dialTest connects a guest to a server that has its one connection handled.
func dialTest(t *testing.T, limits Limits, secure bool, handle func(net.Conn)) (*guest, *Conn, string) {
	t.Helper()
	w := newWorld(t, nil, nil)
	address := strings.TrimPrefix(rawServer(t, handle), "http://")
	g := newGuest(t, w.client, Options{Policy: w.policy(t, ruleFor(t, "http://"+address)), Limits: limits})
	c, err := g.Dial(t.Context(), nil, address, secure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return g, c, address
}

func TestDial(t *testing.T) {
	g, c, address := dialTest(t, Limits{}, false, func(c net.Conn) { _, _ = io.Copy(c, c) })
	if _, err := c.Write([]byte("there and back")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "there and back" || err != nil || c.Remote() != address {
		t.Errorf("%q, %v, %s", b, err, c.Remote())
	}
	if u := g.Usage(); u.Subrequests != 1 || u.EgressBytes != 14 || u.IngressBytes != 14 {
		t.Errorf("%+v", u)
	}
}

func TestDialLimits(t *testing.T) {
	g, c, address := dialTest(t, Limits{Subrequests: 2, Open: 1, RequestBytes: 10, ResponseBytes: 5}, false, func(c net.Conn) { _, _ = io.Copy(c, c) })
	again := func(want string) {
		t.Helper()
		if d, err := g.Dial(t.Context(), nil, address, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, not %s", d, err, want)
		}
	}
	again("1 fetches and sockets are open already")
	again("Too many subrequests (limit 2)")
	if _, err := c.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err == nil || !strings.Contains(err.Error(), "the limit of 10 bytes") {
		t.Error(err)
	}
	b, err := io.ReadAll(c)
	var record *op.ErrorRecord
	if string(b) != "01234" || !errors.As(err, &record) || !strings.Contains(record.Message, "the limit of 5 bytes") {
		t.Errorf("%q, %v", b, err)
	}
}

func TestDialRefusals(t *testing.T) {
	w := newWorld(t, nil, nil)
	g := w.guest(t, Limits{})
	for address, want := range map[string]string{
		"elsewhere.test:80":     "connect failed: egress to elsewhere.test:80 is not allowed by the network policy: no rule matches the host",
		"elsewhere.test":        `"elsewhere.test" is no host and port`,
		"elsewhere.test:":       `"elsewhere.test:" is no host and port`,
		"a:1@elsewhere.test:80": `"a:1@elsewhere.test:80" is no host and port`,
		"elsewhere.test:80/x":   "is no host and port",
		"elsewhere.test:x":      "is no host and port",
		"":                      `"" is no host and port`,
	} {
		if c, err := g.Dial(t.Context(), nil, address, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", address, c, err)
		}
	}
}

func TestStartTLS(t *testing.T) {
	server, _ := countingServer(t, true)
	certificates := server.TLS.Certificates
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	w := finishWorld(t, server, func(c *Config) { c.TLS = &tls.Config{RootCAs: roots} })
	address := strings.TrimPrefix(rawServer(t, func(c net.Conn) {
		fmt.Fprint(c, "plain")
		secure := tls.Server(c, &tls.Config{Certificates: certificates})
		_, _ = io.Copy(secure, secure)
	}), "http://")
	g := newGuest(t, w.client, Options{Policy: w.policy(t, ruleFor(t, "http://"+address))})
	for name, want := range map[string]string{"": "", "example.com": "", "elsewhere.test": "the server's certificate is for another name"} {
		c, err := g.Dial(t.Context(), nil, address, false)
		if err != nil {
			t.Fatal(err)
		}
		plain := make([]byte, 5)
		if _, err := io.ReadFull(c, plain); err != nil || string(plain) != "plain" {
			t.Fatalf("%q, %v", plain, err)
		}
		c.StopRead()
		if _, err := c.Read(plain); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read: %v", err)
		}
		err = c.StartTLS(t.Context(), name)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
		} else if err != nil {
			t.Errorf("%q: %v", name, err)
		} else if _, err := c.Write([]byte("secret")); err != nil {
			t.Error(err)
		} else if _, err := io.ReadFull(c, plain); err != nil || string(plain) != "secre" {
			t.Errorf("%q, %v", plain, err)
		}
		c.Close()
	}
}

// TestCloseEndsConnections: a session's end is that of its connections.
func TestCloseEndsConnections(t *testing.T) {
	over := make(chan error, 1)
	g, c, _ := dialTest(t, Limits{}, false, func(c net.Conn) {
		_, err := io.Copy(io.Discard, c)
		over <- err
	})
	g.Close()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("it reads on")
	}
	if _, err := g.Dial(context.Background(), nil, c.Remote(), false); err == nil {
		t.Error("there are connections after the end")
	}
}
