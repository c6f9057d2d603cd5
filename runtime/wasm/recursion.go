package wasm

import "slices"

// meterRecursion charges the entry of enough functions that every cycle of
// direct calls has one: a depth-first search finds an edge of each cycle that
// leads back, and the function that it leads to is charged. Cycles with an
// indirect call in them are charged there: to charge the functions that such
// calls may lead to made small ones pay that every interpreter's step calls.
// But a function that polls pays at its entry for its indirect calls too.
func (p *fuel) meterRecursion(functions int) {
	charged := make([]bool, functions)
	for _, f := range p.graph(functions).returned() {
		charged[f] = true
	}
	for x := range p.polling {
		if first := uint32(len(p.m.imports)); x >= first && int64(x-first) < int64(functions) {
			charged[x-first] = true
		}
	}
	entry := appendInstructions(nil, p.spendConstant(1))
	for i, c := range charged {
		if c {
			b := &p.m.bodies[i]
			b.code = slices.Concat(entry, b.code)
		}
	}
}

// A callGraph has the direct calls between functions that the module defines,
// by their place.
type callGraph [][]uint32

func (p *fuel) graph(functions int) callGraph {
	g := make(callGraph, functions)
	first := uint32(len(p.m.imports))
	for i, calls := range p.calls {
		slices.Sort(calls)
		for _, f := range slices.Compact(calls) {
			if f >= first && int64(f-first) < int64(functions) {
				g[i] = append(g[i], f-first)
			}
		}
	}
	return g
}

// returned are functions, one at least of every cycle: those that an edge leads
// to before their search is over.
func (g callGraph) returned() (back []uint32) {
	const (
		unseen = iota
		open
		over
	)
	state := make([]byte, len(g))
	type visit struct {
		node uint32
		next int
	}
	var stack []visit
	for root := range g {
		if state[root] != unseen {
			continue
		}
		state[root] = open
		stack = append(stack, visit{uint32(root), 0})
		for len(stack) > 0 {
			v := &stack[len(stack)-1]
			if v.next == len(g[v.node]) {
				state[v.node] = over
				stack = stack[:len(stack)-1]
				continue
			}
			to := g[v.node][v.next]
			v.next++
			switch state[to] {
			case unseen:
				state[to] = open
				stack = append(stack, visit{to, 0})
			case open:
				back = append(back, to)
			}
		}
	}
	return back
}
