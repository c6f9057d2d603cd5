package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"mayfly/runtime/isolate"
)

// showAfter is how long a step may take before it is shown.
const showAfter = time.Second

// newProgress shows the steps of preparation that take longer than a second:
// as a bar on a terminal, a line each elsewhere. finish clears the bar.
func newProgress(w io.Writer) (progress isolate.Progress, finish func()) {
	f, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd()))
	start := time.Now()
	var bar *progressbar.ProgressBar
	step := ""
	progress = func(name string, done float64) {
		changed := name != step
		step = name
		if time.Since(start) < showAfter && !changed {
			return
		}
		if !terminal {
			if changed {
				fmt.Fprintf(w, "%s…\n", name)
			}
			return
		}
		if changed || bar == nil {
			if bar != nil {
				_ = bar.Clear()
			}
			most := 100
			if done < 0 {
				most = -1
			}
			bar = progressbar.NewOptions(most, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name),
				progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30), progressbar.OptionSetPredictTime(false))
		}
		if done < 0 {
			_ = bar.Add(1)
		} else {
			_ = bar.Set(int(done * 100))
		}
	}
	return progress, func() {
		if bar != nil {
			_ = bar.Clear()
		}
	}
}
