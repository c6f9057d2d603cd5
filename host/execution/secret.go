package execution

import (
	"context"
	"errors"
	"fmt"

	"mayfly/host/secret"
)

// checkSecrets names the rules that inject what is not there.
func (s *Service) checkSecrets(r *Request) error {
	var errs []error
	for i, rule := range r.Network.Allow {
		for j, injection := range rule.Inject {
			field := fmt.Sprintf("/network/allow/%d/inject/%d/secret", i, j)
			if s.config.Secrets == nil {
				return &InvalidError{field, "this server keeps no secrets"}
			}
			_, err := s.config.Secrets.Value(context.Background(), r.Tenant, injection.Secret)
			switch {
			case errors.Is(err, secret.ErrNotFound):
				errs = append(errs, &InvalidError{field, fmt.Sprintf("there is no secret %q: PUT /v1/secrets/%[1]s makes it, and so does mayfly secrets set", injection.Secret)})
			case err != nil:
				return err
			}
		}
	}
	return errors.Join(errs...)
}

// secret is the value of a secret that a rule injects.
func (b *sandbox) secret(ctx context.Context, name string) (string, error) {
	return b.service.Secret(ctx, b.request.Tenant, name)
}

// Secret is the value of a tenant's secret that a rule of the network injects;
// its error is for the guest.
func (s *Service) Secret(ctx context.Context, tenant, name string) (string, error) {
	if s.config.Secrets == nil {
		return "", secret.ErrNotFound
	}
	value, err := s.config.Secrets.Value(ctx, tenant, name)
	switch {
	case err == nil:
		return value, nil
	case errors.Is(err, secret.ErrNotFound):
		return "", secret.ErrNotFound
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	s.config.Log.Error("secret", "name", name, "tenant", tenant, "err", err)
	return "", errSecretUnreadable
}

var errSecretUnreadable = errors.New("it can't be read just now")
