package deployment

import (
	"maps"
	"slices"

	"mayfly/storage/meta"
)

// triggers are what has the manifest's worker run.
func (m *Manifest) triggers() meta.Triggers {
	crons := slices.Clone(m.Crons)
	slices.Sort(crons)
	return meta.Triggers{Domains: m.domains(), Crons: slices.Compact(crons)}
}

// setCrons notes the crons of a worker. The lock is held.
func (s *Service) setCrons(k key, crons []string) {
	if len(crons) == 0 {
		delete(s.crons, k)
	} else {
		s.crons[k] = crons
	}
}

// EachCron calls f with every worker that has crons.
func (s *Service) EachCron(f func(tenant, name string, crons []string)) {
	s.mu.RLock()
	crons := maps.Clone(s.crons)
	s.mu.RUnlock()
	for k, list := range crons {
		f(k.tenant, k.name, list)
	}
}
