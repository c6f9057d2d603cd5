package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"

	"mayfly/host/execution"
)

// cacheSettings are where prepared guests are kept.
type cacheSettings struct {
	Cache string `help:"Directory of prepared guests." placeholder:"DIR" default:"${cache}" env:"MAYFLY_CACHE" type:"path"`
}

// engineSettings shape the runtime, for serve and run.
type engineSettings struct {
	cacheSettings
	Languages    []string `help:"Languages to serve; leave out those that are not needed, and they need not be prepared." default:"javascript,python" enum:"javascript,python" env:"MAYFLY_LANGUAGES"`
	Processors   int      `help:"Guests that run at once; 0: one for each core." default:"0" env:"MAYFLY_PROCESSORS"`
	MemoryBudget size     `help:"Resident memory above which nothing is admitted; 0: three quarters of the machine's." default:"0" env:"MAYFLY_MEMORY_BUDGET"`
	AllowEval    bool     `help:"Let executions and sessions use eval and new Function." env:"MAYFLY_ALLOW_EVAL"`
	AllowPrivate []string `help:"Networks that fetch may reach although they are private or local, if a request's rules allow it too." placeholder:"CIDR" env:"MAYFLY_ALLOW_PRIVATE"`
	Packages     bool     `help:"Let requests ask for pure-Python packages, which pip fetches from the index that it is configured with." env:"MAYFLY_PACKAGES"`
	LogLevel     string   `help:"debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"MAYFLY_LOG_LEVEL"`
}

func (s *engineSettings) level() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(s.LogLevel)) // one of the enum
	return l
}

// guests are those of the languages to serve.
func (s *engineSettings) guests() []guest {
	var list []guest
	for _, g := range guests {
		if slices.Contains(s.Languages, g.name) {
			list = append(list, g)
		}
	}
	return list
}

func (s *engineSettings) prefixes() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range s.AllowPrivate {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err2 := netip.ParseAddr(text)
			if err2 != nil {
				return nil, usageError{fmt.Errorf("--allow-private: %q is neither a network, as 10.1.0.0/16, nor an address", text)}
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		list = append(list, p)
	}
	return list, nil
}

// limitSettings are the server's default limits and their caps.
type limitSettings struct {
	DefaultCPU    time.Duration `help:"Processor time of an execution that asks for none." default:"5s" env:"MAYFLY_DEFAULT_CPU"`
	DefaultWall   time.Duration `help:"Wall time of an execution that asks for none." default:"30s" env:"MAYFLY_DEFAULT_WALL"`
	DefaultMemory size          `help:"Memory of an execution that asks for none; 0: 128MiB for JavaScript, 256MiB for Python." default:"0" env:"MAYFLY_DEFAULT_MEMORY"`
	DefaultOutput size          `help:"Output of an execution that asks for none." default:"1MiB" env:"MAYFLY_DEFAULT_OUTPUT"`
	MaxCPU        time.Duration `name:"max-cpu" help:"The most processor time that an execution may ask for." default:"60s" env:"MAYFLY_MAX_CPU"`
	MaxWall       time.Duration `help:"The most wall time that an execution may ask for." default:"5m" env:"MAYFLY_MAX_WALL"`
	MaxMemory     size          `help:"The most memory that an execution may ask for." default:"384MiB" env:"MAYFLY_MAX_MEMORY"`
	MaxOutput     size          `help:"The most output that an execution may ask for." default:"16MiB" env:"MAYFLY_MAX_OUTPUT"`
	MaxFiles      size          `help:"The largest file system that an execution may ask for." default:"256MiB" env:"MAYFLY_MAX_FILES"`
}

func (s *limitSettings) limits() (defaults, caps execution.Limits) {
	return execution.Limits{CPU: s.DefaultCPU, Wall: s.DefaultWall, MemoryBytes: int64(s.DefaultMemory), OutputBytes: int64(s.DefaultOutput)},
		execution.Limits{CPU: s.MaxCPU, Wall: s.MaxWall, MemoryBytes: int64(s.MaxMemory), OutputBytes: int64(s.MaxOutput), FilesBytes: int64(s.MaxFiles)}
}

// withLimitHint says of a limit above its cap which settings raise caps.
func withLimitHint(err error) error {
	if invalid := (*execution.InvalidError)(nil); errors.As(err, &invalid) && strings.HasPrefix(invalid.Field, "/limits/") {
		return fmt.Errorf("%w (--max-cpu, --max-wall, --max-memory, --max-output and --max-files set the most)", err)
	}
	return err
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: expected one like 500ms, 2s or 1h30m", text)
	}
	return d, nil
}

// decodeDuration is kong's mapper of durations. It wants a unit from a
// configuration file too, where a bare number would be nanoseconds.
func decodeDuration(c *kong.DecodeContext, target reflect.Value) error {
	token, err := c.Scan.PopValue("duration")
	if err != nil {
		return err
	}
	d, err := parseDuration(fmt.Sprint(token.Value))
	target.SetInt(int64(d))
	return err
}

// A size is a number of bytes, as 512, 64KiB, 1.5GiB or 10MB.
type size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(t, u.suffix)
		if !ok {
			continue
		}
		var n float64
		var rest string
		if k, _ := fmt.Sscanf(strings.TrimSpace(number)+" ", "%g%s", &n, &rest); k != 1 || n < 0 || n*u.bytes > 1<<62 {
			break
		}
		*s = size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size: expected one like 512, 64KiB or 1.5GiB", t)
}

// String is the size in the largest unit that leaves no fraction.
func (s size) String() string {
	for i := 3; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && int64(s)%int64(u.bytes) == 0 {
			return fmt.Sprintf("%d%s", int64(s)/int64(u.bytes), u.suffix)
		}
	}
	return fmt.Sprint(int64(s))
}

func defaultCache() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "mayfly")
	}
	return filepath.Join(os.TempDir(), "mayfly-cache")
}

// defaultData follows the XDG base directory specification.
func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "mayfly")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "mayfly")
	}
	return "mayfly-data"
}

// configPath finds the configuration file that is to be read before the flags.
func configPath(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if p, ok := strings.CutPrefix(a, "--config="); ok {
			return p
		}
		if a == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return os.Getenv("MAYFLY_CONFIG")
}

// fileConfig is a configuration file: flags by name.
type fileConfig struct {
	path    string
	values  map[string]any
	buckets any // the tables of external buckets; nil: there are none
	prices  any // the table of prices; nil: there is none
}

func openConfig(path string) (*fileConfig, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close()
	return readConfig(path, f)
}

func readConfig(path string, r io.Reader) (*fileConfig, error) {
	c := &fileConfig{path: path, values: map[string]any{}}
	if _, err := toml.NewDecoder(r).Decode(&c.values); err != nil {
		var parse toml.ParseError
		if errors.As(err, &parse) {
			return nil, fmt.Errorf("%s: %s", path, parse.ErrorWithPosition())
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.buckets, c.prices = c.values["buckets"], c.values["prices"]
	delete(c.values, "buckets")
	delete(c.values, "prices")
	return c, nil
}

// Validate implements kong.Resolver: a key that is no flag is a mistake.
func (c *fileConfig) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var visit func(n *kong.Node)
	visit = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
		for _, child := range n.Children {
			visit(child)
		}
	}
	visit(app.Node)
	var wrong []string
	for key := range c.values {
		if !known[key] || key == "config" || key == "help" {
			wrong = append(wrong, key)
		}
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return fmt.Errorf("%s: unknown key %s; mayfly config lists the keys", c.path, strings.Join(wrong, ", "))
	}
	return nil
}

// Resolve implements kong.Resolver. The environment comes before the file.
func (c *fileConfig) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return c.values[flag.Name], nil
}
