"""Text that is laid out once.

To lay a text out costs 1 to 3 ms here: each time the shaper reads the tables of
its font anew. matplotlib does it to measure a text, again to draw it, and again
for SVG. Here a text is laid out once for its font and size, is drawn from one
picture of it, and is kept; what is usual on axes is in the image.

The results are the same but for one thing: a text starts at a whole pixel.
"""

import functools
import io
import os

import numpy
from matplotlib import font_manager, ft2font, rcParams
from matplotlib.backends import backend_agg
from matplotlib.backends.backend_agg import RendererAgg, get_hinting_flag

GENERIC = ("serif", "sans-serif", "cursive", "fantasy", "monospace")

# Texts longer than this are not kept.
MAX_LENGTH = 80


@functools.lru_cache(1024)
def laid_out(font, size, dpi, flags, text):
    """The width, height and descent of a text in pixels, its picture, and where
    that begins: so far right of the text's start, so far above its baseline."""
    return lay_out(font, size, dpi, flags, text)


def lay_out(font, size, dpi, flags, text):
    font.clear()
    font.set_size(size, dpi)
    font.set_text(text, 0.0, flags=flags)
    width, height = font.get_width_height()
    descent = font.get_descent()
    font.draw_glyphs_to_bitmap(antialiased=True)
    left, _ = font.get_bitmap_offset()
    picture = numpy.array(font.get_image())
    # FreeType's box, in whole pixels, has one more on each side.
    return (width / 64, height / 64, descent / 64), picture, left / 64, (height - descent) / 64 + 1


def typeset(renderer, text, prop):
    font = font_manager.get_font(font_manager.fontManager._find_fonts_by_props(prop))
    return (laid_out if len(text) <= MAX_LENGTH else lay_out)(font, prop.get_size_in_points(), renderer.dpi, get_hinting_flag(), text)


_measure = RendererAgg.get_text_width_height_descent
_draw = RendererAgg.draw_text
_find = font_manager.FontManager._find_fonts_by_props
_table = ft2font.FT2Font.get_sfnt_table


def measure(self, s, prop, ismath):
    if ismath:
        return _measure(self, s, prop, ismath)
    return typeset(self, s, prop)[0]


def draw(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
    plain = not ismath and angle in (0, 90) and gc.get_antialiased()
    if not plain or mtext is not None and (mtext.get_fontfeatures() is not None or mtext.get_language() is not None):
        return _draw(self, gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)
    _, picture, left, top = typeset(self, s, prop)
    height, width = picture.shape
    if angle == 0:
        self._renderer.draw_text_image(picture, round(x + left), round(y - top) + height, 0, gc)
    else:
        self._renderer.draw_text_image(numpy.rot90(picture).copy(), round(x - top), round(y - left), 0, gc)


@functools.lru_cache(64)
def found(manager, fonts, family, generic, others):
    prop = font_manager.FontProperties()
    prop._family = list(family)
    prop._slant, prop._variant, prop._weight, prop._stretch, prop._file, prop._size = others
    return tuple(_find(manager, prop))


def find(self, prop, *args, **kwargs):
    """The files of a font, for what it is made of."""
    if args or kwargs or not isinstance(prop, font_manager.FontProperties):
        return _find(self, prop, *args, **kwargs)
    generic = tuple(tuple(rcParams["font." + name]) for name in prop._family if name in GENERIC)
    others = prop._slant, prop._variant, prop._weight, prop._stretch, prop._file, prop._size
    return list(found(self, len(self.ttflist), tuple(prop._family), generic, others))


@functools.lru_cache(256)
def table_of(font, name):
    return _table(font, name)


def table(self, name):
    found = table_of(self, name)
    return None if found is None else dict(found)


class FontFile(io.BytesIO):
    """A font in memory: fonts are read as their glyphs are needed, and a file
    that was opened for the image is closed in its clones."""

    def __init__(self, path):
        with open(path, "rb") as file:
            super().__init__(file.read())
        self.path = os.fspath(path)

    def __str__(self):
        return self.path  # what FT2Font gives as its file's name


opened = functools.lru_cache(64)(FontFile)


class Fonts:
    """Stands for the module ft2font where fonts are opened."""

    def __getattr__(self, name):
        return getattr(ft2font, name)

    @staticmethod
    def FT2Font(file, *args, **kwargs):
        return ft2font.FT2Font(opened(file) if isinstance(file, (str, os.PathLike)) else file, *args, **kwargs)


def install():
    """Has every drawing by Agg use what is kept."""
    font_manager.ft2font = Fonts()
    font_manager._get_font.cache_clear()
    # matplotlib's warnings name the first file that is none of its own.
    for function in (laid_out.__wrapped__, lay_out, typeset, measure, draw):
        function.__code__ = function.__code__.replace(co_filename=backend_agg.__file__)
    RendererAgg.get_text_width_height_descent = measure
    RendererAgg.draw_text = draw
    font_manager.FontManager._find_fonts_by_props = find
    ft2font.FT2Font.get_sfnt_table = table


def usual():
    """What is usual on axes."""
    minus = "\N{MINUS SIGN}"
    texts = [str(n) for n in range(0, 31)] + [str(n) for n in range(35, 101, 5)] + [str(n) for n in range(120, 1001, 20)]
    texts += [format(n / 10, ".1f") for n in range(0, 31)] + [format(n / 2, ".1f") for n in range(7, 21)]
    texts += [format(n / 20, ".2f") for n in range(0, 41)] + [format(n / 4, ".2f") for n in range(9, 13)]
    texts += [minus + str(n) for n in range(1, 11)] + [minus + format(n / 4, ".2f") for n in range(1, 9)]
    texts += [minus + format(n / 10, ".1f") for n in (1, 2, 4, 5, 6, 8, 10, 15, 20, 25, 30)]
    return texts
