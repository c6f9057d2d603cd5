package isolate

import (
	"fmt"
	"testing"
)

// BenchmarkResume starts an isolate from a state, has it change some pages,
// and puts the slot back.
func BenchmarkResume(b *testing.B) {
	p := prepareScripted(b, scripted{})
	r := newRuntime(b, Config{Processors: 1})
	for _, megabytes := range []int{0, 1, 50} {
		for _, cell := range []bool{false, true} {
			b.Run(fmt.Sprintf("heap=%dMB/keep=%t", megabytes, cell), func(b *testing.B) {
				s := keep(b, r, p, nil, func(memory []byte) { noise(memory[heapAt:][:megabytes<<20], 1) })
				defer s.Close()
				touch := func(_ Port, memory []byte) {
					for i := range 200 { // as an interpreter does, and some of the heap
						memory[i*5*4096]++
					}
					for i := 0; i < megabytes<<20; i += 1 << 20 {
						memory[heapAt+i]++
					}
				}
				for b.Loop() {
					report := play(b, r, Job{Program: p, From: s, Keep: cell}, touch)
					if cell {
						closeState(b, report.State)
					}
				}
			})
		}
	}
}
