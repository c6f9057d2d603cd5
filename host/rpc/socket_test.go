package rpc

import (
	"bytes"
	"testing"
)

func TestSocket(t *testing.T) {
	a, b := NewSocket()
	got := make(chan SocketMessage, 10)
	b.Receive(func(m SocketMessage) { got <- m })
	a.Send(SocketMessage{Kind: SocketText, Data: []byte("one")}, nil)
	if m := <-got; string(m.Data) != "one" {
		t.Errorf("%q", m.Data)
	}
	// What is not taken holds the sender up.
	big := bytes.Repeat([]byte("x"), socketCapacity)
	room := make(chan error, 1)
	a.Send(SocketMessage{Kind: SocketBinary, Data: big}, func(err error) { room <- err })
	select {
	case <-room:
		t.Error("there is room for more")
	default:
	}
	b.Receive(func(m SocketMessage) { got <- m })
	if m := <-got; len(m.Data) != len(big) || m.Kind != SocketBinary {
		t.Errorf("%d bytes", len(m.Data))
	}
	if err := <-room; err != nil {
		t.Error(err)
	}
	// After the end there is nothing.
	a.Send(SocketMessage{Kind: SocketClosed, Code: 1000, Clean: true, Data: []byte("bye")}, nil)
	sent := false
	a.Send(SocketMessage{Kind: SocketText, Data: []byte("late")}, func(error) { sent = true })
	if !sent {
		t.Error("who sends to a closed end waits")
	}
	b.Receive(func(m SocketMessage) { got <- m })
	if m := <-got; m.Kind != SocketClosed || m.Code != 1000 || !m.Clean || string(m.Data) != "bye" {
		t.Errorf("%+v", m)
	}
	// An abort ends both ways at once.
	a, b = NewSocket()
	a.Receive(func(m SocketMessage) { got <- m })
	a.Abort()
	a.Abort()
	if m := <-got; m.Kind != SocketClosed || m.Code != 1006 || m.Clean {
		t.Errorf("%+v", m)
	}
	b.Receive(func(m SocketMessage) { got <- m })
	if m := <-got; m.Kind != SocketClosed || m.Code != 1006 {
		t.Errorf("%+v", m)
	}
}
