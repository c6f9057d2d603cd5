package python

import (
	"bytes"
	"encoding/binary"

	"mayfly/host/op"
)

// What a probe asks. It is answered while the image is booted only.
const (
	probeSnapshots = 6 // 0 to 5: remember the memory; 5 answers list<u32 address, u32 bits>
	probeFind      = 6 // bytes: answers list<u32 address>, where they are in memory
)

// maxFound bounds the places of a find, maxProbeWords the words of a comparison.
const (
	maxFound      = 64
	maxProbeWords = maxInterruptWords
)

// A probe looks at the guest's memory for the agent, which can't. It finds the
// words that an interrupt sets: bits that are set between the snapshots 0 and
// 1, and again between 2 and 3, where the interrupt was made, but not between
// 4 and 5, where it was not.
type probe struct{ snapshots [probeSnapshots][]byte }

// answer does what request asks of memory, of which only the used part is
// given.
func (p *probe) answer(memory, request []byte) (answer []byte, ok bool) {
	switch {
	case len(request) == 1 && request[0] < probeSnapshots:
		p.snapshots[request[0]] = bytes.Clone(memory)
		if request[0] < probeSnapshots-1 {
			return nil, true
		}
		return p.words(), true
	case len(request) > 1 && request[0] == probeFind:
		return find(memory, request[1:]), true
	}
	return nil, false
}

// words compares the snapshots, and drops them.
func (p *probe) words() []byte {
	s := p.snapshots
	p.snapshots = [probeSnapshots][]byte{}
	size := len(s[0])
	for _, one := range s {
		size = min(size, len(one))
	}
	var found []span
	for at := 0; at+4 <= size; at += 4 {
		bits := set(s[0], s[1], at)
		if bits != 0 && bits == set(s[2], s[3], at) && set(s[4], s[5], at) == 0 {
			found = append(found, span{uint32(at), bits})
		}
	}
	if len(found) > maxProbeWords {
		found = nil // it can't be told which of them matter
	}
	var w op.Writer
	w.U32(uint32(len(found)))
	for _, f := range found {
		w.U32(f.at)
		w.U32(f.n)
	}
	return w.Message()
}

// set is the bits that a word has after, and not before.
func set(before, after []byte, at int) uint32 {
	return binary.LittleEndian.Uint32(after[at:]) &^ binary.LittleEndian.Uint32(before[at:])
}

// find is the places of what is looked for, but for that of the request itself,
// which is not in memory as the guest sees it but once more.
func find(memory, what []byte) []byte {
	var places []uint32
	for at := 0; len(places) < maxFound; {
		i := bytes.Index(memory[at:], what)
		if i < 0 {
			break
		}
		places = append(places, uint32(at+i))
		at += i + 1
	}
	var w op.Writer
	w.U32(uint32(len(places)))
	for _, place := range places {
		w.U32(place)
	}
	return w.Message()
}
