"""Open matplotlib figures as PNG, SVG and chart data.

A figure is shown once: by plt.show() or figure.show(), by display(), as the
value of the last expression, or, if it is still open then, at the end of the
run or cell. plt.show() and the end close what they show, as notebooks do.
"""

import io
import struct
import sys
import warnings
import weakref
import zlib

from . import charts, display

# A figure of no more than this is also sent as SVG, and its text as outlines.
# Past it the picture is the better form: a path per point makes megabytes.
MAX_SVG_POINTS = 20_000
MAX_SVG = 512 << 10  # characters

# What the edges of figures are widened by where text runs over them, in inches.
PAD = 0.1

# Of the compression of PNG, from 0 to 9.
LEVEL = 3

# Figures that were shown and have not changed since, which their flag stale
# tells.
_shown = weakref.WeakSet()


def bundle(figure):
    """The bundle of a figure, with all that it has."""
    data = {"text/plain": repr(figure)}
    with warnings.catch_warnings(record=True) as warned:
        data["image/png"], text = pictures(figure)
    for message in dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in warned):
        print(message, file=sys.stderr)  # no line of the program is to blame
    if text is not None and len(text) <= MAX_SVG:
        data["image/svg+xml"] = text
    ok, chart = display.attempt(charts.read, figure)
    if ok and chart is not None:
        data[charts.MIME] = display.dumps(chart)
    figure.stale = False
    _shown.add(figure)
    return data


def show(figure):
    """Sends a figure that is not blank and was not shown as it is now."""
    if not figure.get_children()[1:] or figure in _shown and not figure.stale:
        return
    ok, data = display.attempt(bundle, figure)
    if ok:
        display.send(data)


def flush():
    """Sends the open figures in order, and closes them."""
    from matplotlib._pylab_helpers import Gcf

    managers = Gcf.get_all_fig_managers()
    try:
        for manager in sorted(managers, key=lambda m: m.num):
            show(manager.canvas.figure)
    finally:
        for manager in managers:
            Gcf.destroy(manager)


def pictures(figure):
    """A figure as PNG and as SVG, which may be None."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .twin import Twin

    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
    box = None
    with matplotlib.rc_context({"svg.hashsalt": "mayfly", "svg.fonttype": "path"}):
        with Twin(figure, canvas.get_renderer(), points(figure) <= MAX_SVG_POINTS) as twin:
            canvas.draw()
        if twin.outside():
            box = figure.get_tightbbox(canvas.get_renderer()).padded(PAD)
        text = twin.svg(box)
    if box is None:
        return encoded(canvas.buffer_rgba(), figure.dpi), text
    out = io.BytesIO()
    canvas.print_figure(out, format="png", dpi=figure.dpi, bbox_inches=box, facecolor=figure.get_facecolor(),
                        edgecolor=figure.get_edgecolor())
    return out.getvalue(), text


def encoded(pixels, dpi):
    """RGBA pixels as a PNG (ISO/IEC 15948), without alpha where all is opaque,
    which makes it smaller."""
    import numpy

    pixels = numpy.asarray(pixels)
    height, width, depth = pixels.shape
    colour = 6
    if depth == 4 and (pixels[:, :, 3] == 255).all():
        pixels, depth, colour = pixels[:, :, :3], 3, 2
    rows = numpy.empty((height, 1 + width * depth), numpy.uint8)
    body = pixels.reshape(height, width * depth)
    rows[:, 0] = 2  # the filter Up: each row as its difference from that above
    rows[0, 1:] = body[0]
    numpy.subtract(body[1:], body[:-1], out=rows[1:, 1:])

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    metre = round(dpi / 0.0254)
    return b"".join((
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)),
        chunk(b"pHYs", struct.pack(">IIB", metre, metre, 1)),
        chunk(b"IDAT", zlib.compress(rows, LEVEL)),
        chunk(b"IEND", b""),
    ))


def points(figure):
    """About how many path vertices a figure has."""
    n = 0
    for axes in figure.axes:
        for line in axes.lines:
            n += len(line.get_xdata(orig=False))
        for collection in axes.collections:
            n += 4 * len(collection.get_offsets())
        n += 4 * len(axes.patches)
    return n


def install():
    """Lets plt.show() and figure.show() send figures, and savefig write PNG
    sooner: called once pyplot is imported. Every backend without windows asks
    its managers to show."""
    from matplotlib.backend_bases import FigureManagerBase
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    def manager_show(self):
        from matplotlib._pylab_helpers import Gcf

        show(self.canvas.figure)
        Gcf.destroy(self)

    FigureManagerBase.show = manager_show
    print_pil = FigureCanvasAgg._print_pil

    def print_quickly(self, target, fmt, pil_kwargs, metadata=None):
        if fmt == "png":  # a tenth larger, in half the time
            pil_kwargs = {"compress_level": LEVEL, **(pil_kwargs or {})}
        return print_pil(self, target, fmt, pil_kwargs, metadata)

    FigureCanvasAgg._print_pil = print_quickly
    display.register(Figure, bundle)


def warm():
    """Does once what a first figure would do: find fonts, build the parsers of
    formulas, fill caches. Called while the image is made."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    from . import twin, typeset

    install()
    charts.install()
    typeset.install()
    plain = FontProperties(size=10)
    renderer = FigureCanvasAgg(plt.Figure()).get_renderer()
    for text in typeset.usual():
        typeset.typeset(renderer, text, plain)
        twin.outlined(text_to_path._get_font(plain), text)
    for draw in (_plot, _bars, _scatter, _pie, _dates):
        figure = draw(plt)
        bundle(figure)
        plt.close("all")
    _shown.clear()
    for name in ("viridis", "plasma", "coolwarm", "tab10", "Blues"):
        plt.get_cmap(name)(0.5)


def _plot(plt):
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], [1, 4, 9], "o-", label="squares")
    axes.set_title("$\\alpha_1 = \\frac{x^2}{2}$ 0123456789")
    axes.set_xlabel("abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    axes.set_ylabel("(s) [m] .,:;-+%/")
    axes.set_yscale("log")
    axes.legend()
    axes.grid(True)
    figure.tight_layout()
    return figure


def _bars(plt):
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    left.bar(["a", "b"], [1, 2], label="one")
    right.hist([1, 2, 2, 3], bins=3)
    right.tick_params(axis="x", rotation=45)
    figure.suptitle("Bars")
    return figure


def _scatter(plt):
    figure, axes = plt.subplots()
    figure.colorbar(axes.scatter([1, 2, 3], [3, 2, 1], c=[1, 2, 3]))
    axes.annotate("here", (2, 2), (2.5, 2.5), arrowprops={"arrowstyle": "->"})
    return figure


def _pie(plt):
    figure, (left, right) = plt.subplots(1, 2)
    left.pie([1, 2], labels=["a", "b"], autopct="%1.1f%%")
    right.boxplot([[1, 2, 3, 9]], tick_labels=["x"])
    return figure


def _dates(plt):
    import datetime

    figure, axes = plt.subplots()
    axes.plot([datetime.date(2025, 1, day) for day in (1, 2, 3)], [1.5, 2.5, 2])
    axes.fill_between([datetime.date(2025, 1, 1), datetime.date(2025, 1, 3)], 1, 2, alpha=0.2)
    figure.autofmt_xdate()
    return figure
