package meta

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mayfly/storage"
	"mayfly/storage/sqlite"
)

func cronsOf(t testing.TB, s *Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	if err := s.WorkerCrons(t.Context(), func(tenant, name string, crons []string) { all[tenant+"/"+name] = crons }); err != nil {
		t.Fatal(err)
	}
	return all
}

func domainsOf(t testing.TB, s *Store) map[string]string {
	t.Helper()
	domains, err := s.WorkerDomains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for domain, w := range domains {
		all[domain] = w.Tenant + "/" + w.Name
	}
	return all
}

func TestWorkers(t *testing.T) {
	c := newClock()
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{Now: c.Now})
	ctx := t.Context()
	one, created, err := s.DeployWorker(ctx, "a", "shop", "v1", []byte("first"), Triggers{Domains: []string{"shop.example"}, Crons: []string{"* * * * *"}}, 2, 3)
	if err != nil || !created || one.Version != "v1" || !one.Created.Equal(c.Now()) {
		t.Fatalf("%+v %v %v", one, created, err)
	}
	c.move(time.Minute)
	two, created, err := s.DeployWorker(ctx, "a", "shop", "v2", []byte("second"), Triggers{Domains: []string{"www.shop.example"}, Crons: []string{"0 * * * *", "5 * * * *"}}, 2, 3)
	if err != nil || created || two.Version != "v2" || !two.Created.Equal(one.Created) || !two.Updated.Equal(c.Now()) {
		t.Fatalf("%+v %v %v", two, created, err)
	}
	if d := domainsOf(t, s); len(d) != 1 || d["www.shop.example"] != "a/shop" {
		t.Errorf("domains %v", d)
	}
	if crons := cronsOf(t, s); len(crons) != 1 || !slices.Equal(crons["a/shop"], []string{"0 * * * *", "5 * * * *"}) {
		t.Errorf("crons %v", crons)
	}
	// What fails leaves nothing.
	if _, _, err := s.DeployWorker(ctx, "b", "thief", "v1", []byte("x"), Triggers{Domains: []string{"b.example", "www.shop.example"}, Crons: []string{"* * * * *"}}, 2, 3); !errors.Is(err, ErrTaken) {
		t.Errorf("a domain of another: %v", err)
	}
	if _, err := s.Worker(ctx, "b", "thief"); !errors.Is(err, ErrNotFound) || len(domainsOf(t, s)) != 1 || len(cronsOf(t, s)) != 1 {
		t.Errorf("something was left: %v", err)
	}
	if _, _, err := s.DeployWorker(ctx, "a", "other", "v1", []byte("x"), Triggers{}, 2, 3); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.DeployWorker(ctx, "a", "third", "v1", []byte("x"), Triggers{}, 2, 3); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more than most: %v", err)
	}
	// Back to the first version, with what triggered it.
	if w, err := s.RollBackWorker(ctx, "a", "shop", "v1", Triggers{Domains: []string{"shop.example"}}); err != nil || w.Version != "v1" {
		t.Errorf("%+v %v", w, err)
	}
	if crons := cronsOf(t, s); len(crons) != 0 {
		t.Errorf("crons after going back: %v", crons)
	}
	if _, err := s.RollBackWorker(ctx, "a", "shop", "v9", Triggers{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if v, err := s.WorkerVersion(ctx, "a", "shop", "v1"); err != nil || string(v.Deployment) != "first" || v.Number != 1 {
		t.Errorf("%+v %v", v, err)
	}
	// Only so many versions are kept.
	for i := 3; i <= 6; i++ {
		if _, _, err := s.DeployWorker(ctx, "a", "shop", fmt.Sprint("v", i), []byte("x"), Triggers{}, 2, 3); err != nil {
			t.Fatal(err)
		}
	}
	versions, err := s.WorkerVersions(ctx, "a", "shop")
	if err != nil || len(versions) != 3 || versions[0].Version != "v6" || versions[2].Number != 4 {
		t.Errorf("%+v %v", versions, err)
	}
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, Options{Now: c.Now})
	list, err := s.Workers(ctx, "a", "", 10)
	if err != nil || len(list) != 2 || list[0].Name != "other" || list[1].Version != "v6" {
		t.Errorf("%+v %v", list, err)
	}
	if err := s.DeleteWorker(ctx, "a", "shop"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteWorker(ctx, "a", "shop"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if len(domainsOf(t, s)) != 0 {
		t.Error("a deleted worker has a domain")
	}
}

// A damaged record is an error, not another version.
func TestDamagedWorker(t *testing.T) {
	s := newStore(t, Options{})
	if _, _, err := s.DeployWorker(t.Context(), "a", "shop", "v1", []byte("deployment"), Triggers{}, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{"UPDATE workers SET version = 'v2'", "UPDATE worker_versions SET deployment = 'deploymenT'"} {
		if err := s.db.Update(t.Context(), func(tx *sqlite.Tx) error { _, err := tx.Exec(change); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Worker(t.Context(), "a", "shop"); !errors.Is(err, storage.ErrCorrupt) {
		t.Error(err)
	}
	if _, err := s.WorkerVersion(t.Context(), "a", "shop", "v1"); !errors.Is(err, storage.ErrCorrupt) {
		t.Error(err)
	}
}

// Whoever deploys at the same time gets a number of his own, and what is current
// is one of them with its own triggers.
func TestDeployHammer(t *testing.T) {
	s := newStore(t, Options{})
	var wg sync.WaitGroup
	const workers, each = 6, 10
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", w, i)
				if _, _, err := s.DeployWorker(t.Context(), "a", "shop", id, []byte(id), Triggers{Domains: []string{id + ".example"}, Crons: []string{id}}, 1, 20); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	versions, err := s.WorkerVersions(t.Context(), "a", "shop")
	if err != nil || len(versions) != 20 || versions[0].Number != workers*each {
		t.Fatalf("%d versions, %v", len(versions), err)
	}
	w, err := s.Worker(t.Context(), "a", "shop")
	if err != nil || w.Version != versions[0].Version {
		t.Errorf("%+v %v", w, err)
	}
	if d := domainsOf(t, s); len(d) != 1 || d[w.Version+".example"] == "" {
		t.Errorf("domains %v", d)
	}
	if crons := cronsOf(t, s)["a/shop"]; strings.Join(crons, "") != w.Version {
		t.Errorf("crons %v", crons)
	}
}

func TestClaimMinute(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := openStore(t, path, Options{})
	var claims atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if claimed, err := s.ClaimMinute(t.Context(), 1000); err != nil {
				t.Error(err)
			} else if claimed {
				claims.Add(1)
			}
		})
	}
	wg.Wait()
	if claims.Load() != 1 {
		t.Errorf("claimed %d times", claims.Load())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, Options{})
	for minute, want := range map[int64]bool{999: false, 1000: false} {
		if claimed, err := s.ClaimMinute(t.Context(), minute); err != nil || claimed != want {
			t.Errorf("%d: %v, %v", minute, claimed, err)
		}
	}
	if claimed, err := s.ClaimMinute(t.Context(), 1001); err != nil || !claimed {
		t.Errorf("the next one: %v, %v", claimed, err)
	}
}
