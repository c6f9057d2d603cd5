package wasm

import "slices"

// calls are what a function may call, by index.
type calls struct {
	direct   []uint32 // functions
	indirect []uint32 // types
	taken    []uint32 // functions whose reference is made
}

// meterRecursion charges the entry of enough functions that every cycle of
// the call graph has one. The graph has a node for each function and for each
// type of the functions that can be called indirectly: such a call leads to
// the type, and from there to every function of it that is in a table or
// whose reference is taken. A depth-first search finds an edge of each cycle
// that leads back; the function at one of its ends is charged.
func (p *fuel) meterRecursion(functions int) {
	g := p.graph(functions)
	charged := make([]bool, functions)
	for _, e := range g.backEdges() {
		from, to := e[0]-g.first, e[1]-g.first
		if from >= 0 && from < functions && charged[from] || to >= 0 && to < functions && charged[to] {
			continue
		}
		if to >= 0 && to < functions {
			charged[to] = true
		} else {
			charged[from] = true // a type is reached from functions only
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

// A callGraph numbers functions by their index, and types after them.
type callGraph struct {
	first int // function that the module defines
	edges [][]int
}

func (p *fuel) graph(functions int) callGraph {
	m := p.m
	first := len(m.imports)
	types := first + functions
	g := callGraph{first, make([][]int, types+len(m.types))}
	canonical := m.canonicalTypes()
	taken := map[uint32]bool{}
	m.references(func(f uint32) { taken[f] = true })
	for i, c := range p.calls {
		for _, f := range c.taken {
			taken[f] = true
		}
		edges := make([]int, 0, len(c.direct)+len(c.indirect))
		for _, f := range c.direct {
			if int64(f) < int64(types) {
				edges = append(edges, int(f))
			}
		}
		for _, t := range c.indirect {
			if int64(t) < int64(len(canonical)) {
				edges = append(edges, types+canonical[t])
			}
		}
		slices.Sort(edges)
		g.edges[first+i] = slices.Compact(edges)
	}
	for f := first; f < types; f++ {
		if taken[uint32(f)] {
			t := types + canonical[m.functions[f-first]]
			g.edges[t] = append(g.edges[t], f)
		}
	}
	return g
}

// backEdges are edges, one at least of every cycle: those that lead to a node
// whose search is not over.
func (g callGraph) backEdges() (back [][2]int) {
	const (
		unseen = iota
		open
		over
	)
	state := make([]byte, len(g.edges))
	type visit struct{ node, next int }
	var stack []visit
	for root := range g.edges {
		if state[root] != unseen {
			continue
		}
		state[root] = open
		stack = append(stack, visit{root, 0})
		for len(stack) > 0 {
			v := &stack[len(stack)-1]
			if v.next == len(g.edges[v.node]) {
				state[v.node] = over
				stack = stack[:len(stack)-1]
				continue
			}
			to := g.edges[v.node][v.next]
			v.next++
			switch state[to] {
			case unseen:
				state[to] = open
				stack = append(stack, visit{to, 0})
			case open:
				back = append(back, [2]int{v.node, to})
			}
		}
	}
	return back
}
