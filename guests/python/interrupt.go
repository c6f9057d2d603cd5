package python

import (
	"encoding/binary"
	"math/rand/v2"

	"mayfly/host/op"
	"mayfly/runtime/isolate"
)

// The agent tells the host, with the request for its event, about words of the
// guest's memory that are the host's to write. It found them at boot with the
// host's help (see probe), and they are in the image:
//
//	list<u32 address, u32 bits>     setting these bits has the interpreter
//	                                raise KeyboardInterrupt
//	list<u32 address, u32 length>   states of generators of random numbers
//
// A program may lie about them: it can only harm itself.
const (
	maxInterruptWords = 8
	maxGenerators     = 64
	maxGeneratorSize  = 8 << 10 // bytes; a Mersenne twister has 2,496
)

// A span is a place in the guest's memory, and a number that belongs to it.
type span struct{ at, n uint32 }

var _ isolate.Interrupter = (*machine)(nil)

// Interrupt has the interpreter raise KeyboardInterrupt when it goes on, as
// soon as it looks for signals. Without words to set it does nothing.
func (m *machine) Interrupt() error {
	m.interrupted = true
	for _, w := range m.interrupts {
		word := m.memory[w.at : w.at+4]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)|w.n)
	}
	return nil
}

// uninterrupt takes back an interrupt that came too late for the event to see
// it: the state may live on.
func (m *machine) uninterrupt() {
	if !m.interrupted {
		return
	}
	m.interrupted = false
	for _, w := range m.interrupts {
		word := m.memory[w.at : w.at+4]
		binary.LittleEndian.PutUint32(word, binary.LittleEndian.Uint32(word)&^w.n)
	}
}

// adopt takes what the agent says with the request for its life's first event,
// and gives the generators new states, unless the life goes on from a state of
// its own.
func (m *machine) adopt(request []byte, port isolate.Port) {
	if len(request) == 0 || m.adopted {
		return
	}
	m.interrupts = m.interrupts[:0]
	r := op.NewReader(request)
	words := readSpans(r, maxInterruptWords, m.spans[:0])
	n := len(words)
	m.spans = readSpans(r, maxGenerators, words)
	if r.Done() != nil {
		return
	}
	for _, w := range m.spans[:n] {
		if w.at%4 == 0 && inside(m.memory, w.at, 4) {
			m.interrupts = append(m.interrupts, w)
		}
	}
	if m.resumed {
		m.adopted = true
		return // a program may have seeded them, and goes on from there
	}
	var seed [36]byte
	answer, ok := port.Call(uint32(op.Random), []byte{32, 0, 0, 0}, seed[:0])
	if !ok || len(answer) != 32 {
		return // not yet: modules of a worker are evaluated
	}
	m.adopted = true
	random := rand.NewChaCha8([32]byte(answer))
	for _, g := range m.spans[n:] {
		if g.n <= maxGeneratorSize && inside(m.memory, g.at, g.n) {
			_, _ = random.Read(m.memory[g.at : g.at+g.n]) // never fails
		}
	}
}

func readSpans(r *op.Reader, most int, spans []span) []span {
	n := r.U32()
	if n > uint32(most) {
		n = 0
		r.Rest()
		r.U8() // an error: there is nothing left
	}
	for range n {
		spans = append(spans, span{r.U32(), r.U32()})
	}
	return spans
}
