package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mayfly/storage"
)

func TestConfigure(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret"), []byte("of-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BUCKET_KEY", "of-the-environment")
	good := func() map[string]any {
		return map[string]any{
			"backend": "s3", "endpoint": "http://127.0.0.1:1", "access_key": "env:BUCKET_KEY", "secret_key": "file:secret",
			"prefix": "p/", "path_style": true, "tenants": []string{"*"}, "read_only": true,
		}
	}
	list, err := Configure(map[string]any{"data": good(), "archive": good()}, folder)
	if err != nil || len(list) != 2 || list[0].Name != "archive" || list[1].Backend != "s3" || !list[1].ReadOnly || list[1].Tenants[0] != Everybody {
		t.Fatalf("%+v, %v", list, err)
	}
	url, err := list[1].Objects.(storage.Presigner).Presign(t.Context(), "GET", "key", 1e9)
	if err != nil || !strings.HasPrefix(url, "http://127.0.0.1:1/data/p/key?") || !strings.Contains(url, "Credential=of-the-environment%2F") {
		t.Fatal(url, err)
	}
	for name, change := range map[string]func(map[string]any){
		"unknown field": func(m map[string]any) { m["bucket_name"] = "x" },
		"wrong type":    func(m map[string]any) { m["tenants"] = "all" },
		"backend":       func(m map[string]any) { m["backend"] = "ftp" },
		"endpoint":      func(m map[string]any) { m["endpoint"] = "s3.example" },
		"no secret":     func(m map[string]any) { delete(m, "secret_key") },
		"environment":   func(m map[string]any) { m["secret_key"] = "env:NOT_THERE" },
		"file":          func(m map[string]any) { m["secret_key"] = "file:not-there" },
		"ca":            func(m map[string]any) { m["ca_file"] = "secret" },
	} {
		bad := good()
		change(bad)
		_, err := Configure(map[string]any{"data": bad}, folder)
		var e *storage.Error
		if !errors.As(err, &e) || e.Bucket != "data" || strings.Contains(err.Error(), "of-the-") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Configure(map[string]any{"Bad": good()}, folder); !errors.Is(err, storage.ErrInvalidBucket) {
		t.Error(err)
	}
	if _, err := Configure("x", folder); !errors.Is(err, storage.ErrInvalidOption) {
		t.Error(err)
	}
}
