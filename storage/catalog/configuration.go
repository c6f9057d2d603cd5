package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"mayfly/storage"
	"mayfly/storage/s3"
)

// A Configuration says where an external bucket is, and who may use it: the
// table [buckets.NAME] of a configuration file. Keys and the session token may
// be given as "env:NAME" or "file:PATH", so that they need not stand there.
type Configuration struct {
	Backend      string   `json:"backend"` // "s3"
	Endpoint     string   `json:"endpoint"`
	Region       string   `json:"region"`
	Bucket       string   `json:"bucket"` // empty: NAME
	Prefix       string   `json:"prefix"`
	PathStyle    bool     `json:"path_style"`
	AccessKey    string   `json:"access_key"`
	SecretKey    string   `json:"secret_key"`
	SessionToken string   `json:"session_token"`
	CAFile       string   `json:"ca_file"`
	Tenants      []string `json:"tenants"` // empty: only who needs no key; "*": all
	ReadOnly     bool     `json:"read_only"`
}

// Configure opens the buckets of a configuration file: a table by name. Paths
// in it are relative to folder. No bucket is talked to.
//
// # Errors
//
// An [*storage.Error] with the bucket's name that wraps ErrInvalidOption or
// ErrInvalidBucket, or what reading a file gave. It holds no secrets.
func Configure(table any, folder string) ([]External, error) {
	text, err := json.Marshal(table)
	if err != nil {
		return nil, err
	}
	var tables map[string]json.RawMessage
	if err := json.Unmarshal(text, &tables); err != nil {
		return nil, fmt.Errorf("%w: buckets must be tables: [buckets.NAME]", storage.ErrInvalidOption)
	}
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	sort.Strings(names)
	var list []External
	for _, name := range names {
		e, err := configure(name, tables[name], folder)
		if err != nil {
			for _, opened := range list {
				err = errors.Join(err, opened.Objects.Close())
			}
			return nil, &storage.Error{Op: "configure bucket", Bucket: name, Err: err}
		}
		list = append(list, e)
	}
	return list, nil
}

func configure(name string, text []byte, folder string) (e External, err error) {
	var c Configuration
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return e, fmt.Errorf("%w: %s", storage.ErrInvalidOption, strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := storage.ValidateBucket(name); err != nil {
		return e, err
	}
	if c.Backend != "s3" {
		return e, fmt.Errorf(`%w: backend %q; there is "s3"`, storage.ErrInvalidOption, c.Backend)
	}
	if c.Bucket == "" {
		c.Bucket = name
	}
	path := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(folder, name)
	}
	for _, secret := range []*string{&c.AccessKey, &c.SecretKey, &c.SessionToken} {
		if *secret, err = resolve(*secret, path); err != nil {
			return e, err
		}
	}
	o, err := s3.Open(s3.Config{
		Endpoint: c.Endpoint, Region: c.Region, Bucket: c.Bucket, Prefix: c.Prefix, PathStyle: c.PathStyle,
		AccessKey: c.AccessKey, SecretKey: c.SecretKey, SessionToken: c.SessionToken, CAFile: path(c.CAFile),
	})
	if err != nil {
		var inner *storage.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return e, err
	}
	return External{Name: name, Backend: c.Backend, Tenants: c.Tenants, ReadOnly: c.ReadOnly, Objects: o}, nil
}

// resolve reads what a value refers to.
func resolve(value string, path func(string) string) (string, error) {
	if name, ok := strings.CutPrefix(value, "env:"); ok {
		text, set := os.LookupEnv(name)
		if !set {
			return "", fmt.Errorf("%w: the environment has no %s", storage.ErrInvalidOption, name)
		}
		return text, nil
	}
	if name, ok := strings.CutPrefix(value, "file:"); ok {
		text, err := os.ReadFile(path(name))
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(string(text)), nil
	}
	return value, nil
}
