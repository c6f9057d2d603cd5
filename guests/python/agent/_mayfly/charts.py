"""Chart data read from the axes of a figure.

A chart is {"type", "title", "elements"} with more members by its type:

    line, scatter      x_label, y_label, x_unit, y_unit, x_ticks,
                       x_tick_labels, x_scale (and of y);
                       elements {"label", "points": [[x, y], ...]}
    bar                x_label, y_label, x_unit, y_unit;
                       elements {"label", "group", "value"}
    box_and_whisker    as bar; elements {"label", "min", "first_quartile",
                       "median", "third_quartile", "max", "outliers"}
    pie                elements {"label", "angle" (degrees), "radius"}
    superchart         of several axes: elements are charts
    unknown            no elements

A unit is what stands in parentheses or brackets at the end of a label. Scales
are matplotlib's, and datetime (values ISO 8601) and categorical (values are
the categories). Colour bars, insets without data and grid lines are no charts.
Past MAX_POINTS values of one chart every n-th is kept, and "sampled" is n.
"""

import functools
import re

MIME = "application/vnd.mayfly.chart+json"

MAX_POINTS = 5000
MAX_CHARTS = 64
MAX_OUTLIERS = 1000

UNIT = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")
DEFAULT = re.compile(r"\\mathdefault\{((?:[^{}]|\{[^{}]*\})*)\}")


def install():
    """Lets box plots remember their statistics: an axes keeps only the lines
    that they are drawn with."""
    from matplotlib.axes import Axes

    if hasattr(Axes.bxp, "__wrapped__") and getattr(Axes.bxp, "_mayfly", False):
        return
    bxp = Axes.bxp

    @functools.wraps(bxp)
    def remembering(self, bxpstats, *args, **kwargs):
        bxpstats = list(bxpstats)
        artists = bxp(self, bxpstats, *args, **kwargs)
        for median, stats in zip(artists["medians"], bxpstats):
            median._mayfly_box = stats  # goes when the line does
            median._mayfly_parts = True
        for name in ("whiskers", "caps", "boxes", "fliers", "means"):
            for artist in artists[name]:
                artist._mayfly_parts = True
        return artists

    remembering._mayfly = True
    Axes.bxp = remembering


def read(figure):
    """The chart of a figure; None if it has no axes."""
    found = [chart(axes) for axes in figure.axes[:MAX_CHARTS] if is_plot(axes)]
    if not found:
        return None
    title = suptitle(figure)
    if len(found) == 1:
        found[0]["title"] = found[0]["title"] or title
        return found[0]
    return {"type": "superchart", "title": title, "elements": found}


def suptitle(figure):
    return figure.get_suptitle() or None


def is_plot(axes):
    return axes.get_visible() and not hasattr(axes, "_colorbar") and axes.get_label() != "<colorbar>"


def chart(axes):
    """The chart of one axes."""
    from matplotlib.collections import PathCollection
    from matplotlib.container import BarContainer
    from matplotlib.patches import Wedge

    wedges = [patch for patch in axes.patches if isinstance(patch, Wedge)]
    boxes = [line for line in axes.lines if hasattr(line, "_mayfly_box")]
    bars = [container for container in axes.containers if isinstance(container, BarContainer)]
    lines = [line for line in axes.lines if line.get_visible() and not hasattr(line, "_mayfly_parts") and len(line.get_xdata())]
    scatters = [c for c in axes.collections if isinstance(c, PathCollection) and c.get_visible()]
    out = {"type": "unknown", "title": title(axes)}
    if wedges:
        out.update(type="pie", elements=[pie(wedge) for wedge in wedges[:MAX_POINTS]])
    elif boxes:
        out.update(labels(axes), type="box_and_whisker", elements=box_elements(axes, boxes))
    elif bars:
        out.update(labels(axes), type="bar", elements=bar_elements(axes, bars))
    elif axes.name == "3d":
        out["elements"] = []  # its lines are projections
    elif scatters:
        out.update(labels(axes), type="scatter", **scales(axes))
        points(axes, out, [(label(c, i), *c.get_offsets().T) for i, c in enumerate(scatters)])
    elif lines:
        marks = all(line.get_linestyle() in ("None", "none", " ", "") for line in lines)
        out.update(labels(axes), type="scatter" if marks else "line", **scales(axes))
        names = error_bars(axes)
        points(axes, out, [(label(names.get(line, line), i), line.get_xdata(orig=False), line.get_ydata(orig=False))
                           for i, line in enumerate(lines)])
    else:
        out["elements"] = []
    return out


def title(axes):
    return axes.get_title() or axes.get_title("left") or axes.get_title("right") or None


def labels(axes):
    out = {}
    for name in "xy":
        label = getattr(axes, f"get_{name}label")() or None
        unit = UNIT.search(label) if label else None
        out[f"{name}_label"] = label
        out[f"{name}_unit"] = unit[1] if unit else None
    return out


def scales(axes):
    out = {}
    for name, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks, texts = [], []
        for at, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels()):
            if low <= at <= high:
                ticks.append(tidy(at))
                texts.append(tick_text(text))
        out[f"{name}_scale"] = scale(axis)
        out[f"{name}_ticks"] = values(axis, ticks)
        out[f"{name}_tick_labels"] = texts
    return out


def tick_text(text):
    """A tick's label; formulas without what says that they look like text."""
    return DEFAULT.sub(r"\1", text.get_text())


def scale(axis):
    from matplotlib.category import StrCategoryConverter
    from matplotlib.dates import DateConverter, _SwitchableDateConverter

    converter = axis.get_converter()
    if isinstance(converter, StrCategoryConverter):
        return "categorical"
    if isinstance(converter, (DateConverter, _SwitchableDateConverter)) or "Datetime" in type(converter).__name__:
        return "datetime"
    return axis.get_scale()


def values(axis, numbers):
    """Positions on an axis as what they stand for."""
    kind = scale(axis)
    if kind == "datetime":
        from matplotlib.dates import num2date

        return [num2date(n).replace(tzinfo=None).isoformat() if n - n == 0 else None for n in map(float, numbers)]
    if kind == "categorical":
        names = {float(at): name for name, at in axis.units._mapping.items()}
        return [names.get(float(n), float(n)) for n in numbers]
    return [float(n) for n in numbers]


def tidy(number):
    """A number without the noise of its last digits, as ticks have it."""
    return float(format(float(number), ".12g"))


def error_bars(axes):
    """The containers of lines with error bars, which have the lines' labels."""
    from matplotlib.container import ErrorbarContainer

    return {c.lines[0]: c for c in axes.containers if isinstance(c, ErrorbarContainer) and c.lines[0] is not None}


def points(axes, out, series):
    """Adds the elements of a line or scatter chart."""
    total = sum(len(x) for _, x, _ in series)
    step = -(-total // MAX_POINTS) or 1
    out["elements"] = [
        {"label": name, "points": [list(p) for p in zip(values(axes.xaxis, x[::step]), values(axes.yaxis, y[::step]))]}
        for name, x, y in series
    ]
    if step > 1:
        out["sampled"] = step


def label(artist, i):
    """A series' label; those that have none are numbered from 0."""
    text = str(artist.get_label() or "")
    return text if text and not text.startswith("_") else f"Series {i}"


def bar_elements(axes, containers):
    """One element for each bar; the values of upright bars are heights."""
    out = []
    for i, container in enumerate(containers):
        upright = container.orientation != "horizontal"
        axis = axes.xaxis if upright else axes.yaxis
        group = label(container, i)
        texts = tick_texts(axis)
        for bar in container.patches:
            if len(out) >= MAX_POINTS:
                return out
            low, size = (bar.get_x(), bar.get_width()) if upright else (bar.get_y(), bar.get_height())
            value = bar.get_height() if upright else bar.get_width()
            out.append({"label": bar_label(axis, texts, float(low), float(size), len(containers)), "group": group, "value": float(value)})
    return out


def tick_texts(axis):
    """The labels of an axis' ticks by their place, if its owner set them."""
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    if scale(axis) == "categorical" or isinstance(axis.get_major_formatter(), (FixedFormatter, FuncFormatter)):
        return {float(at): tick_text(text) for at, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels())}
    return {}


def bar_label(axis, texts, low, size, groups):
    """What a bar stands for: the tick that it is at, or is beside it among
    the bars of its group, or else its place."""
    centre = low + size / 2
    near = nearest(texts, centre)
    if near is not None and abs(near - centre) <= abs(size) * max(groups, 1) / 2 + 1e-9 and texts[near]:
        return texts[near]
    return place(axis, centre)


def place(axis, at):
    value = values(axis, [at])[0]
    return format(value, ".12g") if isinstance(value, float) else str(value)


def nearest(texts, at):
    return min(texts, key=lambda tick: abs(tick - at), default=None)


def pie(wedge):
    text = str(wedge.get_label() or "")
    return {"label": "" if text.startswith("_") else text, "angle": round(abs(float(wedge.theta2) - float(wedge.theta1)), 6),
            "radius": float(wedge.r)}


def box_elements(axes, medians):
    out = []
    for i, line in enumerate(medians[:MAX_POINTS]):
        stats = line._mayfly_box
        element = {
            "label": box_label(axes, line, str(stats.get("label", i + 1))),
            "min": float(stats["whislo"]), "first_quartile": float(stats["q1"]), "median": float(stats["med"]),
            "third_quartile": float(stats["q3"]), "max": float(stats["whishi"]),
            "outliers": [float(v) for v in list(stats.get("fliers", ()))[:MAX_OUTLIERS]],
        }
        if element not in out:  # the same drawn over itself
            out.append(element)
    return out


def box_label(axes, median, given):
    """The tick that a box is at, or what its statistics were given as name."""
    x, y = median.get_xdata(orig=False), median.get_ydata(orig=False)
    axis, ends = (axes.xaxis, x) if y[0] == y[-1] else (axes.yaxis, y)
    texts = tick_texts(axis)
    centre = (float(ends[0]) + float(ends[-1])) / 2
    near = nearest(texts, centre)
    if near is not None and abs(near - centre) < 0.5 and texts[near]:
        return texts[near]
    return given
