"""Open matplotlib figures as PNG, SVG and chart data.

A figure is shown once: by plt.show() or figure.show(), by display(), as the
value of the last expression, or, if it is still open then, at the end of the
run or cell. plt.show() and the end close what they show, as notebooks do.
"""

import io
import struct
import sys
import weakref
import zlib

from . import charts, display

# A figure of no more than this is also sent as SVG, and its text as outlines.
# Past it the picture is the better form: a path per point makes megabytes.
MAX_SVG_POINTS = 20_000
MAX_SVG = 512 << 10  # characters

# What the edges of figures are widened by where text runs over them, in inches.
PAD = 0.1

# Figures that were shown and have not changed since, which their flag stale
# tells.
_shown = weakref.WeakSet()


def bundle(figure):
    """The bundle of a figure, with all that it has."""
    data = {"text/plain": repr(figure)}
    picture, box = png(figure)
    data["image/png"] = picture
    if points(figure) <= MAX_SVG_POINTS:
        ok, text = display.attempt(svg, figure, box)
        if ok and len(text) <= MAX_SVG:
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


def png(figure):
    """A figure as PNG, and what part of its plane that is: a box in inches, or
    None for the figure as it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    if not isinstance(canvas, FigureCanvasAgg):
        canvas = FigureCanvasAgg(figure)
    box = None
    with texts(canvas.get_renderer()) as extents:
        canvas.draw()
        if extents.outside(figure):
            box = figure.get_tightbbox(canvas.get_renderer()).padded(PAD)
    if box is not None:
        out = io.BytesIO()
        canvas.print_figure(out, format="png", dpi=figure.dpi, bbox_inches=box, facecolor=figure.get_facecolor(),
                            edgecolor=figure.get_edgecolor())
        return out.getvalue(), box
    return encoded(canvas.buffer_rgba(), figure.dpi), None


class texts:
    """Gathers where a renderer draws text, while it is entered. Text is what
    runs over the edges of a figure: titles, labels of ticks, legends beside
    the axes; so the layout is computed a second time only if some does."""

    def __init__(self, renderer):
        self.renderer = renderer
        self.left = self.bottom = float("inf")
        self.right = self.top = float("-inf")

    def __enter__(self):
        draw = type(self.renderer).draw_text

        def draw_text(gc, x, y, s, prop, angle, ismath=False, mtext=None):
            if mtext is not None:
                box = mtext.get_window_extent(self.renderer)
                self.left, self.bottom = min(self.left, box.x0), min(self.bottom, box.y0)
                self.right, self.top = max(self.right, box.x1), max(self.top, box.y1)
            draw(self.renderer, gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)

        self.renderer.draw_text = draw_text
        return self

    def __exit__(self, *exc):
        self.renderer.__dict__.pop("draw_text", None)

    def outside(self, figure):
        box = figure.bbox
        return self.left < box.x0 - 1 or self.bottom < box.y0 - 1 or self.right > box.x1 + 1 or self.top > box.y1 + 1


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
        chunk(b"IDAT", zlib.compress(rows, 3)),
        chunk(b"IEND", b""),
    ))


def svg(figure, box=None):
    """A figure as SVG. Its text is outlines, so that it looks the same
    wherever it is opened: its fonts are nowhere but here."""
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "mayfly"}):
        figure.canvas.print_figure(out, format="svg", bbox_inches=box, facecolor=figure.get_facecolor(),
                                   edgecolor=figure.get_edgecolor(), metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg"):]  # the prolog has no place inside a page


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
    """Lets plt.show() and figure.show() send figures: called once pyplot is
    imported. Every backend without windows asks its managers to show."""
    from matplotlib.backend_bases import FigureManagerBase

    def manager_show(self):
        from matplotlib._pylab_helpers import Gcf

        show(self.canvas.figure)
        Gcf.destroy(self)

    FigureManagerBase.show = manager_show


def warm():
    """Does once what a first figure would do: find fonts, build the parsers of
    formulas, fill caches. Called while the image is made."""
    import matplotlib.pyplot as plt

    install()
    charts.install()
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
