package deployment

import (
	"context"
	"errors"

	"mayfly/host/secret"
)

// Secrets keeps secrets; *secret.Store is one.
type Secrets interface {
	Put(ctx context.Context, tenant, name, value string) (secret.Info, error)
	List(ctx context.Context, tenant string) ([]secret.Info, error)
	Value(ctx context.Context, tenant, name string) (string, error)
	Delete(ctx context.Context, tenant, name string) error
}

// scope is under whom a worker's own secrets are kept: no tenant is called so.
func (k key) scope() string { return k.tenant + "/workers/" + k.name }

// secretsOf are a worker's own secrets, open.
func (s *Service) secretsOf(ctx context.Context, k key) (map[string]string, error) {
	if s.config.Secrets == nil {
		return nil, nil
	}
	list, err := s.config.Secrets.List(ctx, k.scope())
	if err != nil || len(list) == 0 {
		return nil, err
	}
	values := make(map[string]string, len(list))
	for _, i := range list {
		value, err := s.config.Secrets.Value(ctx, k.scope(), i.Name)
		if errors.Is(err, secret.ErrNotFound) {
			continue // it was deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		values[i.Name] = value
	}
	return values, nil
}

// Secrets lists a worker's own secrets, by name.
func (s *Service) Secrets(ctx context.Context, tenant, name string) ([]secret.Info, error) {
	if _, err := s.found(key{tenant, name}); err != nil {
		return nil, err
	}
	if s.config.Secrets == nil {
		return nil, nil
	}
	return s.config.Secrets.List(ctx, key{tenant, name}.scope())
}

// PutSecret sets a secret of a worker. Its env has it under its name, unless a
// binding is called so, and events that begin later see it.
//
// # Errors
//
// ErrNotFound, and those of [secret.Store.Put].
func (s *Service) PutSecret(ctx context.Context, tenant, name, called, value string) (secret.Info, error) {
	var info secret.Info
	err := s.changeSecrets(ctx, key{tenant, name}, func(scope string) (err error) {
		info, err = s.config.Secrets.Put(ctx, scope, called, value)
		return err
	})
	return info, err
}

// DeleteSecret deletes a secret of a worker.
//
// # Errors
//
// ErrNotFound, and those of [secret.Store.Delete].
func (s *Service) DeleteSecret(ctx context.Context, tenant, name, called string) error {
	return s.changeSecrets(ctx, key{tenant, name}, func(scope string) error { return s.config.Secrets.Delete(ctx, scope, called) })
}

func (s *Service) found(k key) (*deployed, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if d := s.current[k]; d != nil {
		return d, nil
	}
	return nil, ErrNotFound
}

// changeSecrets changes a worker's secrets, and has its next events begin anew.
func (s *Service) changeSecrets(ctx context.Context, k key, change func(scope string) error) error {
	s.deploying.Lock()
	defer s.deploying.Unlock()
	old, err := s.found(k)
	if err != nil {
		return err
	}
	if s.config.Secrets == nil {
		return ErrNotFound
	}
	if err := change(k.scope()); err != nil {
		return err
	}
	s.mu.Lock()
	s.current[k] = &deployed{record: old.record}
	s.mu.Unlock()
	old.close()
	return nil
}

// deleteSecrets removes the secrets of a worker that is gone.
func (s *Service) deleteSecrets(ctx context.Context, k key) {
	if s.config.Secrets == nil {
		return
	}
	list, err := s.config.Secrets.List(ctx, k.scope())
	for _, i := range list {
		err = errors.Join(err, s.config.Secrets.Delete(ctx, k.scope(), i.Name))
	}
	if err != nil {
		s.config.Log.Error("secrets of a deleted worker are still there", "worker", k.name, "err", err)
	}
}
