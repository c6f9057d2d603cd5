package isolate

import (
	"runtime"
	"testing"
)

// BenchmarkResident measures turns of residents whose guest does next to
// nothing: what is left is what a turn costs by itself.
func BenchmarkResident(b *testing.B) {
	p := prepareScripted(b, scripted{})
	for _, pages := range []int{1, 100} {
		name := map[int]string{1: "pages=1", 100: "pages=100"}[pages]
		b.Run("parked/"+name, func(b *testing.B) {
			r := newRuntime(b, Config{Processors: 1})
			x, rested := benchResident(b, r, p, func(_ Port, memory []byte) {
				for i := range pages {
					memory[heapAt+i*4096]++
				}
			})
			for b.Loop() {
				x.Deliver(Delivery{Event: 1})
				<-rested
				if err := x.Park(b.Context()); err != nil {
					b.Fatal(err)
				}
				<-rested
			}
		})
	}
	b.Run("idle", func(b *testing.B) {
		r := newRuntime(b, Config{Processors: 1})
		x, rested := benchResident(b, r, p, func(Port, []byte) {})
		for b.Loop() {
			x.Deliver(Delivery{Event: 1})
			<-rested
		}
	})
	b.Run("queued", func(b *testing.B) { // turns of which the next is there already
		r := newRuntime(b, Config{Processors: 1})
		done := make(chan bool, 1)
		left := 0
		x, _ := benchResident(b, r, p, func(Port, []byte) {
			if left--; left == 0 {
				done <- true
			}
		})
		left = b.N
		for range b.N {
			x.Deliver(Delivery{Event: 1})
		}
		<-done
	})
	b.Run("ping-pong", func(b *testing.B) { // one operation: two turns, one of each
		r := newRuntime(b, Config{Processors: 2})
		var first, second *Resident
		done := make(chan bool, 1)
		left := b.N
		first, _ = benchResident(b, r, p, func(Port, []byte) {
			if left--; left < 0 {
				done <- true
				return
			}
			second.Deliver(Delivery{Event: 1, After: first.iso})
		})
		second, _ = benchResident(b, r, p, func(Port, []byte) { first.Deliver(Delivery{Event: 1, After: second.iso}) })
		b.ResetTimer()
		first.Deliver(Delivery{Event: 1})
		<-done
	})
	b.Run("unused", func(b *testing.B) { // bytes of Go's heap that each takes
		r := newRuntime(b, Config{Processors: 1})
		h := &residentHost{}
		kept := make([]*Resident, b.N)
		b.ReportAllocs()
		for i := range kept {
			kept[i] = r.Reside(Residence{Program: p, Host: h, Tenant: "t"})
		}
		runtime.KeepAlive(kept)
	})
}

// benchResident is a resident that tells when it rests.
func benchResident(b *testing.B, r *Runtime, p *Program, script func(Port, []byte)) (*Resident, chan bool) {
	b.Helper()
	h := &residentHost{}
	h.script = script
	rested, ended := make(chan bool, 4), make(chan bool)
	h.rested = func(bool) {
		select {
		case rested <- true:
		default:
		}
	}
	h.ended = func(Report) { close(ended) }
	x := r.Reside(Residence{Program: p, Host: h, Tenant: "t", Memory: 32 << 20})
	b.Cleanup(func() {
		x.Close(OK, "")
		<-ended
	})
	return x, rested
}
