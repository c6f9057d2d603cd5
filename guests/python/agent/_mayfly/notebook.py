"""The part of IPython.display that programs written for notebooks import."""

import html
import importlib.abc
import importlib.util
import json
import mimetypes
import os
import sys
import types

from . import display as shown

NAMES = ("IPython", "IPython.display", "IPython.core", "IPython.core.display", "IPython.core.display_functions")


class DisplayObject:
    """Data of one media type, given as it is, or by the name of a file."""

    mode = "r"
    mime = "text/plain"

    def __init__(self, data=None, url=None, filename=None, metadata=None, **kwargs):
        if isinstance(data, os.PathLike):
            data, filename = None, os.fspath(data)
        if url is not None and data is None and filename is None:
            raise ValueError("nothing is loaded from a URL for a display: fetch it, and give the data")
        self.data, self.url, self.filename, self.metadata = data, url, filename, metadata
        self.reload()

    def reload(self):
        if self.filename is not None:
            with open(self.filename, self.mode, **({} if "b" in self.mode else {"encoding": "utf-8"})) as file:
                self.data = file.read()

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.mime: self.content()}

    def content(self):
        return self.data

    def __repr__(self):
        return f"<IPython.core.display.{type(self).__name__} object>"


class TextDisplayObject(DisplayObject):
    pass


class Pretty(TextDisplayObject):
    pass


class HTML(TextDisplayObject):
    mime = "text/html"

    def _repr_html_(self):
        return self.data

    def __html__(self):
        return self.data


class Markdown(TextDisplayObject):
    mime = "text/markdown"


class Latex(TextDisplayObject):
    mime = "text/latex"


class Math(TextDisplayObject):
    mime = "text/latex"

    def content(self):
        return "$\\displaystyle " + self.data.strip("$") + "$"


class SVG(DisplayObject):
    mime = "image/svg+xml"

    def content(self):
        text = self.data.decode() if isinstance(self.data, bytes) else self.data
        start = text.find("<svg")  # the prolog has no place inside a page
        return text[start:] if start > 0 else text


class JSON(DisplayObject):
    mime = "application/json"

    def __init__(self, data=None, url=None, filename=None, expanded=False, metadata=None, root="root", **kwargs):
        super().__init__(data, url, filename, metadata)

    def content(self):
        return json.loads(self.data) if isinstance(self.data, (str, bytes)) else self.data


class GeoJSON(JSON):
    mime = "application/geo+json"


class Javascript(TextDisplayObject):
    mime = "application/javascript"

    def __init__(self, data=None, url=None, filename=None, lib=None, css=None):
        super().__init__(data, url, filename)


class Code(TextDisplayObject):
    def __init__(self, data=None, url=None, filename=None, language=None):
        super().__init__(data, url, filename)
        self.language = language

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.data, "text/html": f"<pre><code>{html.escape(self.data)}</code></pre>"}


class Image(DisplayObject):
    """A picture: bytes, the name of a file, or an address that a page loads."""

    mode = "rb"

    def __init__(self, data=None, url=None, filename=None, format=None, embed=None,
                 width=None, height=None, retina=False, unconfined=False, metadata=None, alt=None):
        if isinstance(data, str):
            if data.startswith(("http://", "https://", "data:")):
                data, url = None, data
            else:
                data, filename = None, data
        self.format, self.width, self.height, self.alt = format, width, height, alt
        self.address = url if data is None and filename is None else None
        super().__init__(data, None if self.address else url, filename, metadata)
        if self.data is None and self.address is None:
            raise ValueError("an Image needs data, filename or url")

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.address is not None:
            sizes = "".join(f' {name}="{html.escape(str(value))}"' for name, value in
                            (("width", self.width), ("height", self.height), ("alt", self.alt)) if value is not None)
            return {"text/html": f'<img src="{html.escape(self.address)}"{sizes}/>'}
        return {self.type(): self.data}

    def type(self):
        """The media type: as the format says, else the first bytes."""
        for name, start in (("png", b"\x89PNG"), ("jpeg", b"\xff\xd8"), ("gif", b"GIF8"), ("webp", b"RIFF")):
            if self.data[:len(start)] == start:
                return "image/" + name
        if self.format:
            name = self.format.lower()
            return "image/" + {"jpg": "jpeg", "svg": "svg+xml"}.get(name, name)
        return mimetypes.guess_type(self.filename or "")[0] or "application/octet-stream"


class IFrame:
    def __init__(self, src, width, height, extras=None, **kwargs):
        self.src, self.width, self.height = src, width, height

    def _repr_html_(self):
        return (f'<iframe width="{html.escape(str(self.width))}" height="{html.escape(str(self.height))}" '
                f'src="{html.escape(str(self.src))}" frameborder="0" allowfullscreen></iframe>')


class FileLink:
    def __init__(self, path, url_prefix="", result_html_prefix="", result_html_suffix="<br>"):
        self.path = os.fspath(path)

    def _repr_html_(self):
        return f"<a href='{html.escape(self.path)}' target='_blank'>{html.escape(self.path)}</a>"

    def __repr__(self):
        return os.path.abspath(self.path)


def clear_output(wait=False):
    """Does nothing: what was shown stays in the record."""


def update_display(value, *, display_id, **kwargs):
    """Shows the value once more; the earlier display stays in the record."""
    shown.display(value, **kwargs)


def publish_display_data(data, metadata=None, *, transient=None, **kwargs):
    shown.display(data, raw=True)


def display_of(mime):
    def show(*values, raw=False, metadata=None):
        for value in values:
            if raw:
                shown.display({mime: value}, raw=True)
            else:
                shown.display(value, include={mime, "text/plain"})
    return show


def contents():
    """What IPython.display holds."""
    names = {c.__name__: c for c in (
        DisplayObject, TextDisplayObject, Pretty, HTML, Markdown, Latex, Math, SVG, JSON, GeoJSON,
        Javascript, Code, Image, IFrame, FileLink)}
    names |= {f"display_{name}": display_of(mime) for name, mime in (
        ("html", "text/html"), ("markdown", "text/markdown"), ("svg", "image/svg+xml"), ("png", "image/png"),
        ("jpeg", "image/jpeg"), ("latex", "text/latex"), ("json", "application/json"),
        ("javascript", "application/javascript"), ("pretty", "text/plain"), ("pdf", "application/pdf"))}
    return names | {
        "display": shown.display, "DisplayHandle": shown.Handle, "clear_output": clear_output,
        "update_display": update_display, "publish_display_data": publish_display_data,
    }


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of IPython that are here, where nothing else has them."""

    def find_spec(self, name, path=None, target=None):
        if name in NAMES:
            return importlib.util.spec_from_loader(name, self, is_package=name in ("IPython", "IPython.core"))
        return None

    def create_module(self, spec):
        return types.ModuleType(spec.name)

    def exec_module(self, module):
        if module.__name__ == "IPython":
            module.get_ipython = lambda: None  # as outside of a notebook
            module.version_info = (9, 0, 0, "")
            module.__version__ = "9.0.0"
            module.display = shown.display
        elif module.__name__ != "IPython.core":
            vars(module).update(contents())


def install():
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
