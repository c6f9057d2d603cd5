package python

import "testing"

// figure is a simple chart as programs make it.
const figure = `
import matplotlib.pyplot as plt, numpy as np
x = np.linspace(0, 10, 200)
fig, ax = plt.subplots()
ax.plot(x, np.sin(x), label='sin')
ax.plot(x, np.cos(x), label='cos')
ax.set_title('Waves'); ax.set_xlabel('t (s)'); ax.set_ylabel('v')
ax.legend(); ax.grid(True)
`

// BenchmarkFigure is a run with a chart, from the warm image: shown as PNG, SVG
// and data; saved by the program as PNG; made but not drawn.
func BenchmarkFigure(b *testing.B) {
	for _, c := range []struct{ name, source string }{
		{"shown", figure + "None"},
		{"saved", figure + "fig.savefig('chart.png'); plt.close()"},
		{"made", figure + "plt.close()"},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkRuns(b, c.source) })
	}
}

// BenchmarkTable is a run whose result is a table of 1,000 rows.
func BenchmarkTable(b *testing.B) {
	benchmarkRuns(b, "import pandas as pd, numpy as np\npd.DataFrame(np.arange(5000.).reshape(1000, 5), columns=list('abcde'))")
}

func benchmarkRuns(b *testing.B, source string) {
	ready(b)
	var cpu, bytes float64
	for b.Loop() {
		h := run(b, program{source: source})
		if h.failed != nil || h.stderr.Len() > 0 {
			b.Fatalf("%+v\n%s", h.failed, h.stderr.String())
		}
		cpu += float64(h.report.Usage.CPU.Microseconds()) / 1000
		for _, message := range h.displays {
			bytes += float64(len(message))
		}
	}
	b.ReportMetric(cpu/float64(b.N), "cpu-ms/op")
	b.ReportMetric(bytes/float64(b.N), "shown-B/op")
}
