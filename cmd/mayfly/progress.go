package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"mayfly/runtime/isolate"
)

// showAfter is how long a step takes before it is shown.
const showAfter = time.Second

// A progressDisplay shows the steps of preparation that take longer than a
// second: as a bar on a terminal, as a line each elsewhere.
type progressDisplay struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	step  string
	done  float64
	shown bool // the step has been
	timer *time.Timer
	bar   *progressbar.ProgressBar
}

// newProgress starts a display; finish ends it and clears the bar.
func newProgress(w io.Writer) (progress isolate.Progress, finish func()) {
	d := &progressDisplay{w: w}
	if f, ok := w.(*os.File); ok {
		d.terminal = term.IsTerminal(int(f.Fd()))
	}
	return d.report, func() { d.report("", -1) }
}

// report takes the place of the step before.
func (d *progressDisplay) report(step string, done float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = done
	if step == d.step {
		d.update()
		return
	}
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.bar != nil {
		_ = d.bar.Clear()
		d.bar = nil
	}
	d.step, d.shown = step, false
	if step != "" {
		d.timer = time.AfterFunc(showAfter, func() { d.show(step) })
	}
}

// show shows a step that has been under way for a while.
func (d *progressDisplay) show(step string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if step != d.step || d.shown {
		return
	}
	d.shown = true
	if !d.terminal {
		fmt.Fprintf(d.w, "%s…\n", step)
		return
	}
	most := 100
	if d.done < 0 {
		most = -1
	}
	d.bar = progressbar.NewOptions(most, progressbar.OptionSetWriter(d.w), progressbar.OptionSetDescription(step),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(false))
	d.update()
}

// update moves the bar; the lock is held.
func (d *progressDisplay) update() {
	switch {
	case d.bar == nil:
	case d.done < 0:
		_ = d.bar.Add(1)
	default:
		_ = d.bar.Set(int(d.done * 100))
	}
}
