// Package packages makes pure-Python packages of the Python package index ready
// for guests: resolved and fetched by pip, with its user's own settings, checked
// by digests that are remembered, unpacked into read-only layers of files.
//
// Nothing of a package runs here: only wheels are taken, and nothing is built.
package packages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mayfly/host/vfs"
)

// MountPoint is where guests find packages.
const MountPoint = "/opt/site-packages"

// Errors of a Store. A [*RequestError] is the fault of who asked.
var (
	// ErrBusy: too many sets are being fetched.
	ErrBusy = errors.New("packages: too many packages are being fetched")
	// ErrDigest: the index has another file than it had.
	ErrDigest = errors.New("packages: a file is not what it was when the packages were first fetched")
)

// A RequestError says what is wrong with a request's packages.
type RequestError struct {
	Index  int    // of the requirement; -1: of them together
	Reason string // a clause, for who asked
}

func (e *RequestError) Error() string { return e.Reason }

// Config configures a Store.
type Config struct {
	Folder string // of the cache; needed
	// Version of the guest's Python, as 3.15; needed.
	Version string
	// Provided are the packages that the guest has, with their versions, by
	// name.
	Provided map[string]string
	// Pip is the command line that runs pip; default python3 -m pip.
	Pip []string
	// Options are more options of pip download, as --no-index.
	Options []string

	Timeout  time.Duration // of fetching one set; default 2 min
	Packages int           // of one set; default 100
	Files    int           // of one set; default 20,000
	Bytes    int64         // of one set unpacked, and again of what is downloaded; default 256 MiB
	Waiting  int           // sets that wait to be fetched; one more is ErrBusy; default 16
	Tenant   int           // of these, of one tenant; default 2
}

// A Store has the packages that were asked for. It is safe for concurrent use.
type Store struct {
	config Config
	salt   [sha256.Size]byte // of all that decides what a set resolves to

	pip chan struct{} // one runs at a time

	mu      sync.Mutex
	waiting map[string]int // by tenant
	total   int
	layers  map[string]*vfs.Layer // by key of their set
	recent  []string              // keys of layers, the latest last
}

// maxLayers is how many sets are kept open. Those beyond are opened again.
const maxLayers = 128

// format is part of every name in the cache: it changes when what is in them
// does.
const format = "1"

// New makes a store.
func New(config Config) (*Store, error) {
	if config.Folder == "" || config.Version == "" {
		return nil, errors.New("packages: the configuration lacks the cache's folder or Python's version")
	}
	if config.Timeout == 0 {
		config.Timeout = 2 * time.Minute
	}
	if config.Packages == 0 {
		config.Packages = 100
	}
	if config.Files == 0 {
		config.Files = 20_000
	}
	if config.Bytes == 0 {
		config.Bytes = 256 << 20
	}
	if config.Waiting == 0 {
		config.Waiting = 16
	}
	if config.Tenant == 0 {
		config.Tenant = 2
	}
	folder, err := filepath.Abs(config.Folder) // pip runs elsewhere
	if err != nil {
		return nil, err
	}
	config.Folder = folder
	provided := make(map[string]string, len(config.Provided))
	for name, version := range config.Provided {
		provided[Normalize(name)] = version
	}
	config.Provided = provided
	s := &Store{config: config, pip: make(chan struct{}, 1), waiting: map[string]int{}, layers: map[string]*vfs.Layer{}}
	salt, err := json.Marshal([]any{format, config.Version, config.Provided}) // maps are sorted
	if err != nil {
		return nil, err
	}
	s.salt = sha256.Sum256(salt)
	return s, nil
}

// A Wheel is a package's file that the request brought.
type Wheel struct {
	Name    string // of the file, which says what is in it: name-1.0-py3-none-any.whl
	Content []byte
}

// Layer is a layer with the packages that are asked for and all that they need
// and the guest lacks. Requirements are name==version, or ./path of a wheel that
// wheel gives. The same requirements get the same files, once they were resolved.
//
// # Errors
//
// A [*RequestError], [ErrBusy], [ErrDigest], the end of ctx, or a failure of the
// cache.
func (s *Store) Layer(ctx context.Context, tenant string, requirements []string, wheel func(path string) ([]byte, error)) (*vfs.Layer, error) {
	set, err := s.parse(requirements, wheel)
	if err != nil {
		return nil, err
	}
	if layer := s.open(set.key); layer != nil {
		return layer, nil
	}
	if err := s.enter(tenant); err != nil {
		return nil, err
	}
	defer s.leave(tenant)
	select {
	case s.pip <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.pip }()
	if layer := s.open(set.key); layer != nil { // another request was faster
		return layer, nil
	}
	return s.make(ctx, set)
}

// enter counts a request that waits.
func (s *Store) enter(tenant string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= s.config.Waiting || s.waiting[tenant] >= s.config.Tenant {
		return ErrBusy
	}
	s.total++
	s.waiting[tenant]++
	return nil
}

func (s *Store) leave(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.waiting[tenant]--; s.waiting[tenant] == 0 {
		delete(s.waiting, tenant)
	}
}

// open answers a set's layer if it was made, in this process or before.
func (s *Store) open(key string) *vfs.Layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if layer := s.layers[key]; layer != nil {
		return layer
	}
	lock, err := s.readLock(key)
	if err != nil {
		return nil
	}
	layer, err := openVerified(s.layerPath(lock))
	if err != nil {
		return nil
	}
	s.remember(key, layer)
	return layer
}

// remember keeps a layer open. Those that are let go of stay mapped, for trees
// may stand on them.
func (s *Store) remember(key string, layer *vfs.Layer) {
	if len(s.recent) >= maxLayers {
		delete(s.layers, s.recent[0])
		s.recent = s.recent[1:]
	}
	s.layers[key] = layer
	s.recent = append(s.recent, key)
}

func openVerified(path string) (*vfs.Layer, error) {
	layer, err := vfs.OpenLayer(path)
	if err != nil {
		return nil, err
	}
	if err := layer.Verify(); err != nil {
		return nil, errors.Join(err, layer.Close())
	}
	return layer, nil
}

// A lock is what a set was resolved to.
type lock struct {
	Wheels []locked `json:"wheels"`
}

type locked struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	// Local: the request brought it, the index does not have it.
	Local bool `json:"local,omitempty"`
}

func (s *Store) lockPath(key string) string {
	return filepath.Join(s.config.Folder, "locks", key+".json")
}

func (s *Store) wheelPath(w locked) string {
	return filepath.Join(s.config.Folder, "wheels", w.SHA256+".whl")
}

// layerPath names a layer by what is in it.
func (s *Store) layerPath(l *lock) string {
	digest := sha256.New()
	fmt.Fprintln(digest, format)
	for _, w := range l.Wheels {
		fmt.Fprintln(digest, w.SHA256)
	}
	return filepath.Join(s.config.Folder, "layers", hex.EncodeToString(digest.Sum(nil)[:16])+".layer")
}

func (s *Store) readLock(key string) (*lock, error) {
	text, err := os.ReadFile(s.lockPath(key))
	if err != nil {
		return nil, err
	}
	l := &lock{}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, err
	}
	for _, w := range l.Wheels {
		if sum, err := hex.DecodeString(w.SHA256); err != nil || len(sum) != sha256.Size {
			return nil, errors.New("packages: a damaged lock")
		}
		if _, err := parseWheelName(w.File); err != nil {
			return nil, errors.New("packages: a damaged lock")
		}
	}
	return l, nil
}

// make fetches and unpacks a set. It is called once at a time.
func (s *Store) make(ctx context.Context, set *set) (*vfs.Layer, error) {
	for _, name := range []string{"locks", "wheels", "layers", "work"} {
		if err := os.MkdirAll(filepath.Join(s.config.Folder, name), 0o755); err != nil {
			return nil, err
		}
	}
	work, err := os.MkdirTemp(filepath.Join(s.config.Folder, "work"), "*.tmp")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.Timeout,
		&RequestError{-1, fmt.Sprintf("fetching the packages took longer than %v", s.config.Timeout)})
	defer cancel()
	l, err := s.readLock(set.key)
	if err == nil {
		err = s.refetch(ctx, set, l, work)
	} else {
		l, err = s.resolve(ctx, set, work)
	}
	if err != nil {
		return nil, err
	}
	path := s.layerPath(l)
	layer, err := openVerified(path)
	if err != nil {
		if err := s.unpack(l, path); err != nil {
			return nil, err
		}
		if layer, err = openVerified(path); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := writeFile(s.lockPath(set.key), text); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remember(set.key, layer)
	return layer, nil
}

// writeFile puts a file in place whole or not at all.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
