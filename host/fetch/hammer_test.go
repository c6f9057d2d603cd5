package fetch

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"mayfly/host/op"
)

// Whatever a session is told at the same time, it settles nothing twice, and
// nothing of it runs when it is closed.
func TestHammer(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(rw, r, "/", http.StatusSeeOther)
			return
		}
		_, _ = io.Copy(rw, io.LimitReader(r.Body, 1<<20))
		_, _ = rw.Write(make([]byte, rand.IntN(300_000)))
	}), nil)
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for round := range rounds {
		var mu sync.Mutex
		answers, closed := map[uint32]bool{}, false
		s := w.client.NewSession(Options{
			Tenant: fmt.Sprint(round % 2), Policy: w.policy(t), Limits: Limits{Subrequests: 100, Open: 20},
			Settle: func(id uint32, _ bool, _ []byte) {
				mu.Lock()
				defer mu.Unlock()
				if answers[id] || closed {
					t.Errorf("operation %d settled twice, or after the end", id)
				}
				answers[id] = true
			},
		})
		var running sync.WaitGroup
		for worker := range uint32(4) {
			running.Go(func() {
				for i := range uint32(60) {
					id := worker*1000 + i
					any := worker*1000 + rand.Uint32N(i+1)
					handle := op.NewWriter(nil)
					handle.U32(rand.Uint32N(30))
					switch rand.IntN(8) {
					case 0, 1:
						s.Start(op.Fetch, id, encodeFetch(fetchMessage{method: "GET", url: w.URL}))
					case 2:
						s.Start(op.Fetch, id, encodeFetch(fetchMessage{method: "POST", url: w.URL + "/redirect", body: bodyStream}))
					case 3:
						s.Start(op.BodyRead, id, handle.Message())
					case 4:
						m := op.NewWriter(nil)
						m.U32(any)
						m.U8(uint8(rand.IntN(3)))
						m.Bytes(make([]byte, rand.IntN(200_000)))
						s.Start(op.BodyWrite, id, m.Message())
					case 5:
						s.Cancel(any)
					case 6:
						s.CancelBody(rand.Uint32N(30))
					case 7:
						_, _ = s.Usage(), s.LimitHit()
					}
				}
			})
		}
		if round%2 == 0 {
			running.Wait()
		}
		s.Close()
		mu.Lock()
		closed = true
		mu.Unlock()
		running.Wait()
		s.Close()
	}
}

// The same of sockets: whatever is sent, received, closed and cancelled at once,
// nothing settles twice, and nothing is held in the end.
func TestHammerSockets(t *testing.T) {
	w := newWorld(t, http.HandlerFunc(echoSockets), nil)
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		var mu sync.Mutex
		answers, closed := map[uint32]bool{}, false
		handles := make(chan uint32, 100)
		s := w.client.NewSession(Options{
			Policy: w.policy(t), Limits: Limits{Subrequests: 100, Open: 20},
			Settle: func(id uint32, ok bool, message []byte) {
				mu.Lock()
				defer mu.Unlock()
				if answers[id] || closed {
					t.Errorf("operation %d settled twice, or after the end", id)
				}
				answers[id] = true
				if ok && id%1000 == 0 { // it opened a socket
					handles <- binary.LittleEndian.Uint32(message[len(message)-4:])
				}
			},
		})
		var running sync.WaitGroup
		for g := range uint32(8) {
			running.Go(func() {
				s.Start(op.Websocket, (g+1)*1000, encodeFetch(fetchMessage{method: "GET", url: w.URL}))
				var handle uint32
				for i := range uint32(60) {
					id := (g+1)*1000 + 1 + i
					select {
					case handle = <-handles:
					default:
					}
					switch rand.IntN(8) {
					case 0, 1, 2:
						s.Start(op.WebsocketReceive, id, binary.LittleEndian.AppendUint32(nil, handle))
					case 3, 4:
						s.Start(op.WebsocketSend, id, encodeSend(handle, text("x"), socketMessage{socketBinary, make([]byte, rand.IntN(100_000))}))
					case 5:
						s.Start(op.WebsocketSend, id, encodeSend(handle, text([]string{"flood", "close", "drop"}[rand.IntN(3)])))
					case 6:
						s.Cancel((g+1)*1000 + rand.Uint32N(i+1))
					default:
						if rand.IntN(10) == 0 {
							w := op.NewWriter(nil)
							w.U32(handle)
							w.U32(1000)
							w.Str("")
							s.Start(op.WebsocketClose, id, w.Message())
						}
					}
					time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
				}
			})
		}
		running.Wait()
		s.Close()
		mu.Lock()
		closed = true
		mu.Unlock()
	}
}
