package isolate

import (
	"cmp"
	"context"
	"slices"
)

// A holding is the memory that an isolate has for itself.
type holding struct {
	iso    *Isolate
	bytes  int64
	parked bool
}

// holdings are those of all isolates that are known to hold anything, and how many
// bytes are on their way out already.
func (p *pressure) holdings() (list []holding, going int64) {
	p.mu.Lock()
	var residents []*Resident
	for x := range p.residents {
		residents = append(residents, x)
	}
	for iso := range p.live {
		switch {
		case iso.resident != nil || iso.memory.Load() == 0:
		case iso.ending.Load() != nil:
			going += iso.memory.Load()
		default:
			list = append(list, holding{iso: iso, bytes: iso.memory.Load()})
		}
	}
	p.mu.Unlock()
	for _, x := range residents {
		slot, bytes := x.Held()
		switch {
		case bytes == 0:
		case x.leaving():
			going += bytes
		default:
			list = append(list, holding{x.iso, bytes, !slot})
		}
	}
	return list, going
}

// leaving says that the resident's memory is about to be given back.
func (x *Resident) leaving() bool {
	x.iso.mu.Lock()
	defer x.iso.mu.Unlock()
	return x.over || x.closing != nil || x.iso.ending.Load() != nil || x.iso.parking.Load()
}

// evict has residents end that can be had again as they began, until so many bytes
// are free: those of the tenant that holds most, its largest first.
func (p *pressure) evict(excess int64) {
	list, going := p.holdings()
	excess -= going
	tenants := map[string]int64{}
	for _, h := range list {
		tenants[h.iso.job.Tenant] += h.bytes
	}
	slices.SortFunc(list, func(a, b holding) int {
		return cmp.Or(
			cmp.Compare(tenants[b.iso.job.Tenant], tenants[a.iso.job.Tenant]),
			cmp.Compare(a.iso.job.Tenant, b.iso.job.Tenant),
			cmp.Compare(b.bytes, a.bytes))
	})
	for _, h := range list {
		if excess <= 0 {
			return
		}
		if x := h.iso.resident; x != nil && x.residence.Host.Evict() {
			excess -= h.bytes
		}
	}
}

// shed ends isolates, the largest first, until so many bytes are free. A resident
// between two turns is parked, and ended only if that fails or was not enough.
func (p *pressure) shed(excess int64) {
	list, going := p.holdings()
	excess -= going
	slices.SortFunc(list, func(a, b holding) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, h := range list {
		if excess <= 0 {
			return
		}
		excess -= h.bytes
		x := h.iso.resident
		switch {
		case x == nil || h.iso.inTurn.Load():
			h.iso.End(LoadShed, "the server is short of memory, and this execution uses the most")
		case h.parked:
			x.Close(LoadShed, shortOfMemory)
		default:
			h.iso.parking.Store(true) // the next look goes on with others
			go h.iso.putAway()
		}
	}
}

const shortOfMemory = "the server is short of memory, and this isolate uses the most"

// putAway parks a resident for want of memory.
func (iso *Isolate) putAway() {
	err := iso.resident.Park(context.Background())
	iso.parking.Store(false)
	if err != nil {
		iso.resident.Close(LoadShed, shortOfMemory)
	}
}
