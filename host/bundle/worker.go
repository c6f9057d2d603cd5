package bundle

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// A hostile source can make esbuild run for hours (renaming nested scopes takes
// cubic time) or overflow its stack, which ends the process and can't be
// recovered. Neither can be stopped from inside, so sources are transformed by
// workers: processes that are ended when they take too long.

const (
	workerCount = 2
	// workerTimeout is how long a worker has for one source, and how long a
	// source waits for a worker at most.
	workerTimeout = 5 * time.Second
	workerWait    = 30 * time.Second
	// workerStack is where a worker's stack ends: what nests deeper than that
	// is not written by people.
	workerStack = 256 << 20
)

// ErrBusy: no worker was free in time.
var ErrBusy = errors.New("the transformer is busy: try again later")

// errWorker: a worker ended, or was ended, over a job.
var errWorker = errors.New("bundle: a worker was ended")

// UseWorkers has sources transformed by processes of that command line, which
// has to call [Work]. Without it they are transformed in this process, which a
// hostile source can stall or end. It comes before the first Transform; Close
// ends the processes.
func (t *Transformer) UseWorkers(command []string) { t.workers = newWorkers(command) }

// Close ends the workers, if there are any. No Transform may be under way.
func (t *Transformer) Close() {
	if t.workers != nil {
		t.workers.close()
	}
}

// workerJob is what a worker is sent: one of these.
type workerJob struct {
	Transform *transformJob `json:",omitempty"`
	Create    *createJob    `json:",omitempty"`
}

// transformJob is to be answered by a transformAnswer.
type transformJob struct {
	Name, Source, TSConfig string
	Syntax                 Syntax
}

type transformAnswer struct {
	Code  []byte
	Map   []byte
	Error *Error `json:",omitempty"`
}

type workers struct {
	command []string
	idle    chan *worker // workerCount of them; nil: to be started
}

type worker struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

func newWorkers(command []string) *workers {
	ws := &workers{command: command, idle: make(chan *worker, workerCount)}
	for range workerCount {
		ws.idle <- nil // started when first used
	}
	return ws
}

func (ws *workers) close() {
	for range workerCount {
		if w := <-ws.idle; w != nil {
			w.end()
		}
	}
}

// do has a worker do a job, which may take so long.
//
// # Errors
//
// errWorker, [ErrBusy], the context's.
func (ws *workers) do(ctx context.Context, job workerJob, answer any, limit time.Duration) error {
	var w *worker
	select {
	case w = <-ws.idle:
	default:
		wait := time.NewTimer(workerWait)
		defer wait.Stop()
		select {
		case w = <-ws.idle:
		case <-wait.C:
			return ErrBusy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w == nil {
		var err error
		if w, err = ws.start(); err != nil {
			ws.idle <- nil
			return err
		}
	}
	err := w.do(ctx, job, answer, limit)
	if err != nil {
		w.end()
		w = nil
		if err = ctx.Err(); err == nil {
			err = errWorker
		}
	}
	ws.idle <- w
	return err
}

func (ws *workers) start() (*worker, error) {
	w := &worker{command: exec.Command(ws.command[0], ws.command[1:]...)}
	var err error
	if w.in, err = w.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := w.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = json.NewDecoder(bufio.NewReader(out))
	return w, w.command.Start()
}

func (w *worker) do(ctx context.Context, job workerJob, answer any, limit time.Duration) error {
	// It ends by itself; this is for one that can't.
	kill := func() { _ = w.command.Process.Kill() }
	late := time.AfterFunc(limit+time.Second, kill)
	defer late.Stop()
	defer context.AfterFunc(ctx, kill)()
	if err := json.NewEncoder(w.in).Encode(job); err != nil {
		return err
	}
	if err := w.out.Decode(answer); err != nil {
		return err
	}
	return ctx.Err() // it may have been killed just now
}

func (w *worker) end() {
	_ = w.command.Process.Kill()
	_ = w.command.Wait() // it was killed
}

// Work is a worker: it does the jobs that come from in until that ends. It ends
// the process when one takes too long, so that none outlives its parent.
func Work(in io.Reader, out io.Writer) error {
	debug.SetMaxStack(workerStack)
	limitMemory()
	decoder, encoder := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var job workerJob
		if err := decoder.Decode(&job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var answer any
		switch {
		case job.Create != nil:
			late := time.AfterFunc(createTimeout, func() { os.Exit(1) })
			answer = answerCreate(*job.Create)
			late.Stop()
		case job.Transform != nil:
			late := time.AfterFunc(workerTimeout, func() { os.Exit(1) })
			answer = transform(*job.Transform)
			late.Stop()
		default:
			return errors.New("bundle: a job of no kind")
		}
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	}
}

// transform is done by a worker, or in this process if there is none.
func transform(job transformJob) *transformAnswer {
	loader := map[Syntax]api.Loader{JSX: api.LoaderJSX, TypeScript: api.LoaderTS, TSX: api.LoaderTSX}[job.Syntax]
	r := api.Transform(job.Source, api.TransformOptions{
		Loader:         loader,
		Sourcefile:     job.Name,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		Target:         api.ESNext,
		Charset:        api.CharsetUTF8,
		TsconfigRaw:    job.TSConfig,
		LogLevel:       api.LogLevelSilent,
		JSX:            api.JSXTransform,
		LegalComments:  api.LegalCommentsInline,
	})
	if len(r.Errors) > 0 {
		e := &Error{File: job.Name, Text: r.Errors[0].Text}
		if l := r.Errors[0].Location; l != nil {
			e.Line, e.Column, e.Excerpt = l.Line, l.Column+1, excerpt(l.LineText)
		}
		return &transformAnswer{Error: e}
	}
	return &transformAnswer{Code: r.Code, Map: r.Map}
}

// maxExcerpt is how much of a line an error shows, in bytes.
const maxExcerpt = 1000

func excerpt(line string) string {
	if len(line) > maxExcerpt {
		return ""
	}
	return line
}
