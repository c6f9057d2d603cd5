package api

import (
	"context"
	"errors"
	"time"

	"github.com/coder/websocket"

	"mayfly/host/rpc"
)

// pump passes messages between a connection and a worker's socket until both
// ways are closed.
func pump(ctx context.Context, conn *websocket.Conn, socket *rpc.Socket) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		fromClient(ctx, conn, socket)
	}()
	toClient(ctx, conn, socket)
	// The closing handshake ends by what the client answers.
	select {
	case <-ctx.Done():
	case <-time.After(socketCloseTime):
	}
	conn.CloseNow()
}

// socketCloseTime bounds the closing handshake.
const socketCloseTime = 10 * time.Second

// fromClient passes on what the client sends.
func fromClient(ctx context.Context, conn *websocket.Conn, socket *rpc.Socket) {
	for {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			end := rpc.SocketMessage{Kind: rpc.SocketClosed, Code: 1006}
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				end = rpc.SocketMessage{Kind: rpc.SocketClosed, Code: uint32(closed.Code), Clean: true, Data: []byte(closed.Reason)}
			}
			socket.Send(end, nil)
			return
		}
		m := rpc.SocketMessage{Kind: rpc.SocketText, Data: data}
		if kind == websocket.MessageBinary {
			m.Kind = rpc.SocketBinary
		}
		room := make(chan struct{})
		socket.Send(m, func(error) { close(room) })
		select {
		case <-room:
		case <-ctx.Done():
			socket.Send(rpc.SocketMessage{Kind: rpc.SocketClosed, Code: 1006}, nil)
			return
		}
	}
}

// toClient passes on what the worker sends, until it closes.
func toClient(ctx context.Context, conn *websocket.Conn, socket *rpc.Socket) {
	messages := make(chan rpc.SocketMessage, 1)
	for {
		socket.Receive(func(m rpc.SocketMessage) { messages <- m })
		select {
		case m := <-messages:
			switch m.Kind {
			case rpc.SocketClosed:
				if m.Code == 1006 || !m.Clean {
					conn.CloseNow()
					return
				}
				code := websocket.StatusCode(m.Code)
				if code == websocket.StatusNoStatusRcvd {
					code = websocket.StatusNormalClosure
				}
				conn.Close(code, string(m.Data))
				return
			case rpc.SocketBinary:
				if conn.Write(ctx, websocket.MessageBinary, m.Data) != nil {
					return
				}
			default:
				if conn.Write(ctx, websocket.MessageText, m.Data) != nil {
					return
				}
			}
		case <-ctx.Done():
			return
		}
	}
}
