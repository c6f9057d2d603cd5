"""One drawing of a figure for two pictures: while Agg draws pixels, the same
calls are written as SVG. To draw a second time costs as much as the first:
the most of it is artists and layout, which are the same for both.

Coordinates are pixels in both. What matplotlib counts in points (widths of
lines, dashes, sizes of fonts) is scaled by what Agg scales it by.
"""

import functools
import io
import math
from html import escape

from matplotlib.backends.backend_svg import RendererSVG, _short_float_fmt
from matplotlib.colors import rgb2hex, to_hex, to_rgba
from matplotlib.textpath import text_to_path

from . import typeset

# Calls of a renderer that draw.
DRAWING = (
    "draw_path", "draw_markers", "draw_path_collection", "draw_quad_mesh", "draw_gouraud_triangles", "draw_image",
    "draw_text", "open_group", "close_group",
)


class Lines(RendererSVG):
    """An SVG renderer in pixels."""

    def __init__(self, width, height, scale, out):
        self.scale, self.out = scale, out
        super().__init__(width, height, out, image_dpi=72, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})

    def _get_style_dict(self, gc, rgbFace):
        width, dashes = gc._linewidth, gc._dashes
        offset, lengths = dashes
        gc._linewidth = width * self.scale
        if lengths is not None:
            gc._dashes = offset * self.scale, [length * self.scale for length in lengths]
        try:
            return super()._get_style_dict(gc, rgbFace)
        finally:
            gc._linewidth, gc._dashes = width, dashes

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if ismath:
            scaled = prop.copy()
            scaled.set_size(prop.get_size_in_points() * self.scale)
            super().draw_text(gc, x, y, s, scaled, angle, ismath=ismath)
            return
        uses, paths = outlined(self._text2path._get_font(prop), s)
        self._update_glyph_map_defs({name: path for name, path in paths.items() if name not in self._glyph_map})
        attributes = ""
        if gc.get_clip_rectangle() is not None or gc.get_clip_path()[0] is not None:
            attributes = f' clip-path="{self._get_clip_attrs(gc)["clip-path"]}"'
        colour = gc.get_rgb()
        alpha = gc.get_alpha() if gc.get_forced_alpha() else colour[3]
        if rgb2hex(colour) != "#000000":
            attributes += f' fill="{rgb2hex(colour)}"'
        if alpha != 1:
            attributes += f' opacity="{_short_float_fmt(alpha)}"'
        size = prop.get_size_in_points() * self.scale / self._text2path.FONT_SCALE
        turn = f" rotate({_short_float_fmt(-angle)})" if angle else ""
        self.writer.comment(s)  # which also ends the tag that is open
        self.out.write(f"<g{attributes}><g transform=\"translate({_short_float_fmt(x)} {_short_float_fmt(y)}){turn} "
                       f"scale({size:.6f} {-size:.6f})\">{uses}</g></g>\n")


def outlines(font, text):
    """A text as uses of glyphs, and their outlines by name."""
    glyphs, paths, _ = text_to_path.get_glyphs_with_font(font, text)
    uses = []
    for name, x, y, _ in glyphs:
        place = "" if x == y == 0 else f' transform="translate({_short_float_fmt(x)} {_short_float_fmt(y)})"'
        uses.append(f'<use xlink:href="#{escape(name)}"{place}/>')
    return "".join(uses), paths


outlines_kept = functools.lru_cache(1024)(outlines)


def outlined(font, text):
    return (outlines_kept if len(text) <= typeset.MAX_LENGTH else outlines)(font, text)


class Twin:
    """Enters an Agg renderer, to gather what it draws and where its text is.

    Text is what runs over the edges of a figure: titles, labels of ticks,
    legends beside the axes. So a figure needs a second layout only if text
    does.
    """

    def __init__(self, figure, renderer, with_svg):
        self.figure, self.renderer = figure, renderer
        self.left = self.bottom = float("inf")
        self.right = self.top = float("-inf")
        self.out = self.lines = None
        if with_svg:
            self.out = io.StringIO()
            self.lines = Lines(renderer.width, renderer.height, renderer.dpi / 72, self.out)

    def __enter__(self):
        self.before = {name: self.renderer.__dict__.get(name) for name in (*DRAWING, "start_filter")}
        for name in DRAWING:
            setattr(self.renderer, name, self.both(name, getattr(self.renderer, name)))
        draw_text = self.renderer.draw_text

        def measured(gc, x, y, s, prop, angle, ismath=False, mtext=None):
            width, height, descent = self.renderer.get_text_width_height_descent(s, prop, ismath)
            sin, cos = math.sin(math.radians(angle)), math.cos(math.radians(angle))
            for right in (0, width):
                for up in (-descent, height - descent):
                    at, above = x + right * cos - up * sin, self.renderer.height - y + right * sin + up * cos
                    self.left, self.bottom = min(self.left, at), min(self.bottom, above)
                    self.right, self.top = max(self.right, at), max(self.top, above)
            draw_text(gc, x, y, s, prop, angle, ismath=ismath, mtext=mtext)

        self.renderer.draw_text = measured
        start_filter = self.renderer.start_filter

        def filtered():
            self.lines = None  # pixels are changed: there is nothing like it in SVG
            start_filter()

        self.renderer.start_filter = filtered
        return self

    def both(self, name, draw):
        def call(*args, **kwargs):
            draw(*args, **kwargs)
            if self.lines is not None:
                getattr(self.lines, name)(*args, **kwargs)
        return call

    def __exit__(self, *exc):
        for name, value in self.before.items():
            if value is None:
                self.renderer.__dict__.pop(name, None)
            else:
                setattr(self.renderer, name, value)

    def outside(self):
        """Whether text ran over the edges."""
        box = self.figure.bbox
        return self.left < box.x0 - 1 or self.bottom < box.y0 - 1 or self.right > box.x1 + 1 or self.top > box.y1 + 1

    def svg(self, box=None):
        """The SVG, or None; of a part of the plane, if there is a box in
        inches."""
        if self.lines is None:
            return None
        self.lines.finalize()
        text = self.out.getvalue()
        text = text[text.index(">", text.index("<svg")) + 1:]
        width, height, dpi = self.renderer.width, self.renderer.height, self.renderer.dpi
        left, top = 0, 0
        back = ""
        if box is not None:
            left, top = box.x0 * dpi, height - box.y1 * dpi
            width, height = box.width * dpi, box.height * dpi
            colour = to_rgba(self.figure.get_facecolor())
            back = f'<rect x="{left:.6g}" y="{top:.6g}" width="{width:.6g}" height="{height:.6g}" fill="{to_hex(colour)}" fill-opacity="{colour[3]:.3g}"/>'
        view = " ".join(_short_float_fmt(n) for n in (left, top, width, height))
        points = [_short_float_fmt(n * 72 / dpi) for n in (width, height)]
        return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" '
                f'width="{points[0]}pt" height="{points[1]}pt" viewBox="{view}">{back}{text}')
