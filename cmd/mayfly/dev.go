package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mayfly/cmd/mayfly/project"
	"mayfly/host/bundle"
	"mayfly/host/execution"
	"mayfly/host/worker"
)

// devCommand is mayfly dev.
type devCommand struct {
	projectSettings
	IP   string   `help:"Address to listen on; default: the configuration's, or 127.0.0.1." placeholder:"ADDRESS"`
	Port int      `short:"p" help:"Port to listen on; 0: a free one; default: the configuration's, or 8787." default:"-1" placeholder:"PORT"`
	With []string `help:"Directory of another project, whose worker services of this one lead to; it is at NAME.localhost, too. Repeatable." placeholder:"DIR" type:"path"`
	Data string   `help:"Directory of the buckets and values of the project; default: .mayfly in it." placeholder:"DIR" type:"path"`

	cacheSettings `group:"Settings, as those of mayfly serve:"`
	AllowPrivate  []string `group:"Settings, as those of mayfly serve:" help:"Networks that fetch may reach although they are private or local." placeholder:"CIDR" env:"MAYFLY_ALLOW_PRIVATE"`
	Languages     []string `group:"Settings, as those of mayfly serve:" help:"Languages that loaders may ask for; default: all, if there is a loader." enum:"javascript,python" env:"MAYFLY_LANGUAGES"`
	LogLevel      string   `group:"Settings, as those of mayfly serve:" help:"debug, info, warn or error." default:"warn" enum:"debug,info,warn,error" env:"MAYFLY_LOG_LEVEL"`
}

// A development is a project that is served, and built again when it changes.
type development struct {
	command *devCommand
	dir     string
	host    *host
	service *worker.Service
	log     *devLog
	reloads *reloads
	all     []*development // with those that are served beside it, all with the same of the above
	data    string
	// What the last build made; only the goroutine that builds uses these.
	config  *project.Config
	builder *bundle.Builder
	vars    map[string]string
	watcher *watcher
	built   *worker.Code

	mu       sync.Mutex
	prepared chan struct{} // closed when the guests are ready
	begun    chan struct{} // closed when the first build is over
	current  *worker.Worker
	name     string
	assets   *project.Assets
	failure  error // why there is no current worker
	files    *devFiles
}

// Run serves until ctx ends, which is a signal to stop.
func (cmd *devCommand) Run(ctx context.Context, c console) (err error) {
	style := newTerminalStyle(c.err)
	config, err := cmd.load(c.err, style)
	if err != nil {
		return err
	}
	d := &development{command: cmd, dir: config.Dir, log: &devLog{style: style, w: c.err}, reloads: newReloads(), prepared: make(chan struct{}), begun: make(chan struct{})}
	d.all = []*development{d}
	configs := []*project.Config{config}
	for _, path := range cmd.With {
		other := *cmd
		other.Project, other.Name, other.Var, other.Define = path, "", nil, nil
		beside, err := other.load(c.err, style)
		if err != nil {
			return err
		}
		configs = append(configs, beside)
		d.all = append(d.all, &development{command: &other, dir: beside.Dir, log: d.log, reloads: d.reloads, prepared: d.prepared, begun: make(chan struct{})})
	}
	settings := &engineSettings{cacheSettings: cmd.cacheSettings, AllowPrivate: cmd.AllowPrivate, LogLevel: cmd.LogLevel, Languages: cmd.Languages}
	if len(settings.Languages) == 0 {
		settings.Languages = languagesOf(configs)
	}
	data := dataSettings{Data: cmp.Or(cmd.Data, filepath.Join(config.Dir, ".mayfly"))}
	d.data = data.Data
	if err := makeDevData(data.Data); err != nil {
		return err
	}
	stores := &localStores{}
	defer func() { err = errors.Join(err, stores.Close()) }()
	executions := execution.Config{Secrets: environmentSecrets{}}
	if err := stores.open(ctx, &data, []execution.Binding{{Bucket: "any"}, {Namespace: "any"}}, &executions); err != nil {
		return err
	}
	if d.host, err = newHost(settings, settings.guests(), &folder{}, executions, newLog(d.log, settings.level())); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.host.close()) }()
	// Who runs it may also install packages.
	npm := bundlerSettings{Bundler: true, Npm: true}
	if _, err := exec.LookPath("npm"); err != nil {
		npm.Npm = false
	}
	bundler, err := npm.bundler(cmd.Cache)
	if err != nil {
		return err
	}
	defer bundler.Close()
	d.service = worker.New(worker.Config{Executions: d.host.service, Bundler: bundler, Logged: d.log.logged, Traced: d.log.traced, Watched: func(*worker.Worker) bool { return true }})
	defer d.service.Close()
	for _, one := range d.all[1:] {
		one.host, one.service, one.all, one.data = d.host, d.service, d.all, d.data
	}
	listener, err := cmd.listen(config)
	if err != nil {
		return err
	}
	life, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{Handler: d.handler(life, listener.Addr()), BaseContext: func(net.Listener) context.Context { return life }, ErrorLog: nil}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		stop() // which ends the requests under way
		grace, cancel := context.WithTimeout(context.Background(), devGrace)
		defer cancel()
		_ = server.Shutdown(grace)
		_ = server.Close()
		<-served
		for _, one := range d.all {
			one.close()
		}
	}()

	ready := make(chan error, 1)
	go func() {
		progress, finish := newProgress(c.err)
		defer finish()
		ready <- d.host.prepare(life, progress)
	}()
	defer func() {
		stop()
		if ready != nil {
			<-ready
		}
	}()
	var building sync.WaitGroup
	defer func() {
		stop()
		building.Wait()
	}()
	for i, one := range d.all {
		building.Go(func() { one.develop(life, configs[i]) })
	}
	fmt.Fprintf(d.log, "%s serves %s\n", style.paint(colourBold, cmp.Or(config.Name, "mayfly dev")), style.paint(colourCyan, "http://"+displayAddress(listener.Addr())+"/"))
	for _, beside := range configs[1:] {
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		fmt.Fprintf(d.log, "%s is at %s\n", style.paint(colourBold, beside.Name), style.paint(colourCyan, "http://"+net.JoinHostPort(beside.Name+".localhost", port)+"/"))
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			served <- err
			return err
		case err := <-ready:
			if ready = nil; err != nil {
				return err
			}
			close(d.prepared)
		}
	}
}

// develop makes the first build, and another whenever the project changes, until
// life ends.
func (d *development) develop(life context.Context, config *project.Config) {
	d.start(life, config)
	close(d.begun)
	if d.watcher.notify != nil {
		d.watcher.changes(life, func(paths []string) { d.changed(life, paths) })
	}
}

// devGrace is how long requests may take to end when the command does.
const devGrace = 3 * time.Second

// makeDevData makes the directory of a project's buckets and values, which no
// repository is to have.
func makeDevData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return os.WriteFile(ignore, []byte("*\n"), 0o600)
}

// languagesOf are the guests that projects need, the first one's own first.
func languagesOf(configs []*project.Config) []string {
	for i, c := range configs {
		switch {
		case i == 0 && filepath.Ext(c.Main) == ".py":
			return []string{"python", "javascript"}
		case len(c.Loaders) > 0, filepath.Ext(c.Main) == ".py": // a loader may load either
			return []string{"javascript", "python"}
		}
	}
	return []string{"javascript"}
}

// listen opens the port; one that nobody chose gives way to a free one.
func (cmd *devCommand) listen(c *project.Config) (net.Listener, error) {
	ip := cmp.Or(cmd.IP, c.Dev.IP, "127.0.0.1")
	if ip == "localhost" {
		ip = "127.0.0.1"
	}
	if parsed := net.ParseIP(ip); parsed == nil || !parsed.IsLoopback() {
		return nil, usageError{fmt.Errorf("--ip %s is no loopback address: mayfly dev serves this machine only; mayfly deploy is for others", ip)}
	}
	port, chosen := cmd.Port, cmd.Port >= 0
	if !chosen {
		if port, chosen = c.Dev.Port, c.Dev.Port > 0; !chosen {
			port = 8787
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, fmt.Sprint(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		if chosen {
			return nil, fmt.Errorf("%w: choose another with --port; port 0 is a free one", err)
		}
		return net.Listen("tcp", net.JoinHostPort(ip, "0"))
	}
	return l, err
}

func displayAddress(a net.Addr) string {
	if host, port, err := net.SplitHostPort(a.String()); err == nil && host == "127.0.0.1" {
		return net.JoinHostPort("localhost", port)
	}
	return a.String()
}

// ready is the worker of the last build, as soon as there is one; nil if there
// are assets alone.
func (d *development) ready(ctx context.Context) (*worker.Worker, string, error) {
	for _, done := range []chan struct{}{d.prepared, d.begun} {
		select {
		case <-done:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current, d.name, d.failure
}

func (d *development) workerName() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(d.name, "worker")
}

// start makes the first build, and watches the project.
func (d *development) start(ctx context.Context, config *project.Config) {
	var err error
	if d.watcher, err = newWatcher(func(path string) bool { return path == d.data }); err != nil {
		d.watcher = &watcher{}
		d.log.style.warning(d.log, "changes are not seen: "+err.Error())
	}
	d.use(ctx, config)
}

// use takes a configuration over, and builds.
func (d *development) use(ctx context.Context, config *project.Config) {
	if d.builder != nil {
		d.builder.Close()
		d.builder = nil
	}
	d.config, d.built = config, nil
	var err error
	var read []string
	if d.vars, read, err = project.Variables(config.Dir, config.Env); err != nil {
		d.failed(err)
		return
	}
	if len(read) > 0 {
		for i := range read {
			read[i] = filepath.Base(read[i])
		}
		fmt.Fprintln(d.log, d.log.style.paint(colourFaint, "variables of "+strings.Join(read, ", ")))
	}
	for _, name := range config.Secrets {
		if _, given := d.vars[name]; !given {
			d.log.style.warning(d.log, fmt.Sprintf("the secret %s is missing: write it into .dev.vars", name))
		}
	}
	var files *devFiles
	if config.Assets != nil {
		if files, err = openDevFiles(assetsDirectory(config), func(text string) { d.log.style.warning(d.log, text) }); err != nil {
			d.failed(fmt.Errorf("assets.directory: %w", err))
			return
		}
	}
	d.mu.Lock()
	old := d.files
	d.files, d.assets = files, config.Assets
	d.mu.Unlock()
	if old != nil {
		_ = old.root.Close()
	}
	d.watch(config.Dir)
	d.build(ctx, true)
}

func (d *development) watch(folder string) {
	if d.watcher.notify != nil {
		d.watcher.add(folder)
	}
}

// build makes the worker anew, and puts it in place of the one before.
func (d *development) build(ctx context.Context, command bool) {
	begin := time.Now()
	if command {
		if err := customBuild(ctx, d.config, d.log); err != nil {
			d.failed(err)
			return
		}
	}
	var err error
	if d.builder == nil {
		if d.builder, err = newBuilder(d.config, true); err != nil {
			d.failed(err)
			return
		}
	}
	if d.builder == nil { // assets alone
		d.swap(nil, nil)
		return
	}
	out, err := d.builder.Build(ctx)
	if err != nil {
		d.failed(err)
		return
	}
	for _, m := range out.Warnings {
		d.log.style.message(d.log, colourYellow, "warning:", m)
	}
	for _, input := range out.Inputs {
		if folder := filepath.Dir(input); !filepath.IsLocal(folder) && !slices.Contains(strings.Split(filepath.ToSlash(folder), "/"), "node_modules") {
			d.watch(filepath.Join(d.config.Dir, folder)) // a neighbour of the project
		}
	}
	if d.built != nil && d.built.Digest() == codeOf(d.config, out).Digest() && d.failureIs(nil) {
		return
	}
	def, err := d.define(ctx, d.config, d.vars, out)
	if err != nil {
		d.failed(err)
		return
	}
	again := d.built != nil
	d.built = def.Code
	d.swap(d.service.Worker(def), nil)
	if again {
		fmt.Fprintf(d.log, "%s\n", d.log.style.paint(colourFaint, "built again in "+time.Since(begin).Round(time.Millisecond).String()))
	}
}

func (d *development) failureIs(err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure == err
}

// failed has requests told why there is nothing to answer them.
func (d *development) failed(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	printMistakes(d.log, d.log.style, err)
	d.swap(nil, err)
}

func (d *development) swap(w *worker.Worker, failure error) {
	d.mu.Lock()
	old := d.current
	d.current, d.failure, d.name = w, failure, d.config.Name
	d.mu.Unlock()
	if old != nil {
		old.Close() // what is under way goes on
	}
	d.reloads.announce()
}

// changed looks at what has changed, and builds what that asks for.
func (d *development) changed(ctx context.Context, paths []string) {
	var configuration, sources, assets bool
	for _, path := range paths {
		name, dir := filepath.Base(path), filepath.Dir(path)
		switch {
		case path == d.config.File, dir == d.config.Dir && (strings.HasPrefix(name, ".dev.vars") || strings.HasPrefix(name, ".env")):
			configuration = true
		case d.config.Assets != nil && within(filepath.Join(d.config.Dir, filepath.FromSlash(d.config.Assets.Directory)), path):
			assets = true
		case dir == d.config.Dir && strings.HasPrefix(name, ".") && path != "":
		case d.config.Build.Command != "" && !d.triggers(path):
		default:
			sources = true
		}
	}
	switch {
	case configuration:
		config, err := d.command.load(d.log, d.log.style)
		if err != nil {
			d.failed(err)
			return
		}
		fmt.Fprintln(d.log, d.log.style.paint(colourFaint, "the configuration has changed"))
		d.use(ctx, config)
	case sources:
		d.build(ctx, d.config.Build.Command != "")
	case assets:
		d.reloads.announce()
	}
}

// triggers says whether the custom build depends on a file.
func (d *development) triggers(path string) bool {
	folders := d.config.Build.WatchDir
	if folders == nil {
		folders = []string{"src"}
	}
	return slices.ContainsFunc(folders, func(f string) bool { return within(filepath.Join(d.config.Dir, filepath.FromSlash(f)), path) })
}

func within(folder, path string) bool {
	name, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(name)
}

// close ends what is left; no request is under way.
func (d *development) close() {
	d.mu.Lock()
	current, files := d.current, d.files
	d.current, d.files = nil, nil
	d.mu.Unlock()
	if current != nil {
		current.Close()
	}
	if files != nil {
		_ = files.root.Close()
	}
	if d.builder != nil {
		d.builder.Close()
	}
	if d.watcher != nil && d.watcher.notify != nil {
		_ = d.watcher.close()
	}
}
