"""Rich results: a value as one bundle of media types, as notebooks show it.

What runs programs calls, in this order:

    install()             once, at boot: display() becomes a builtin, and
                          `from IPython.display import display, HTML` works
    finish(value, text)   after each run or cell that came to its end: sends
                          what the last expression's value shows besides text
                          (its repr, if that is known already), then the open
                          figures
    flush()               instead of finish, after one that failed: sends the
                          open figures

A bundle is a dict from media type to str (text), bytes (binary) or, for JSON
types, the encoded text. The order of precedence is that of IPython:
_ipython_display_ shows by itself; _repr_mimebundle_ wins over the methods of
single types (_repr_html_ and so on); text/plain is the repr.

A repr that raises is reported on stderr and left out; the program goes on.
"""

import base64
import binascii
import builtins
import io
import json
import sys

from . import host, op
from .codec import Writer

# Methods of single media types. Each is asked only if the bundle that
# _repr_mimebundle_ gave does not have its type.
METHODS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_pdf_", "application/pdf"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
    ("_repr_javascript_", "application/javascript"),
)

# Values of these very types have no more to show than text.
PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset))

# Objects that answer to every name answer to this one; they are not asked for
# any representation.
CANARY = "_mayfly_no_such_method_"

TEXT = frozenset(("application/javascript", "application/ecmascript", "application/xml"))

MAX_MIME = 127  # bytes, as the host has it
MAX_FRAMES = 20  # of what is reported


def is_json(mime):
    return mime == "application/json" or mime.endswith("+json")


def is_text(mime):
    return mime.startswith("text/") or mime.endswith("+xml") or mime in TEXT


def install():
    """Makes display() a builtin and IPython.display importable."""
    from . import notebook

    builtins.display = display
    notebook.install()
    from PIL import Image

    register(Image.Image, picture)


def finish(value=None, text=None):
    """Sends what the value of the last expression shows, then the open figures."""
    if type(value) not in PLAIN:
        data = bundle(value, text=text)
        if len(data) > 1 or data and "text/plain" not in data:
            send(data, main=True)
    flush()


def flush():
    """Sends the open figures and closes them."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is not None and helpers.Gcf.figs:
        from . import figures

        figures.flush()


def display(*values, include=None, exclude=None, metadata=None, transient=None,
            display_id=None, raw=False, clear=False, **kwargs):
    """Shows values in all the media types that they have.

    raw says that the values are bundles themselves. display_id names the
    display for update_display; every update is one more display. metadata,
    transient and clear are accepted and have no effect.
    """
    for value in values:
        data = checked(value) if raw else bundle(value, include, exclude)
        if data:
            send(data)
    if display_id is not None:
        return Handle(None if display_id is True else display_id)


class Handle:
    """What display() returns when it is given a display_id."""

    def __init__(self, display_id=None):
        self.display_id = display_id if display_id is not None else format(id(self), "x")

    def display(self, value, **kwargs):
        display(value, **kwargs)

    def update(self, value, **kwargs):
        display(value, **kwargs)

    def __repr__(self):
        return f"<DisplayHandle display_id={self.display_id}>"


def bundle(value, include=None, exclude=None, text=None):
    """The bundle of a value; empty if it showed itself, or has no repr."""
    if not asks_back(value):
        shows = method(value, "_ipython_display_")
        if shows is not None:
            ok, _ = attempt(shows)
            if ok:
                return {}
        data = representations(value, include, exclude)
    else:
        data = {}
    if "text/plain" not in data:
        if text is None:
            ok, text = attempt(repr, value)
        if isinstance(text, str):
            data = {"text/plain": text, **data}
    return chosen(data, include, exclude)


def representations(value, include, exclude):
    data = {}
    known = own(value)
    if known is not None:
        ok, found = attempt(known, value)
        if ok and found is not None:
            return found
    mimebundle = method(value, "_repr_mimebundle_")
    if mimebundle is not None:
        ok, found = attempt(mimebundle, include=include, exclude=exclude)
        if isinstance(found, tuple) and found:
            found = found[0]  # with metadata
        if ok and found is not None:
            data = checked(found)
    for name, mime in METHODS:
        if mime in data or include and mime not in include or exclude and mime in exclude:
            continue
        represent = method(value, name)
        if represent is None:
            continue
        ok, found = attempt(represent)
        if isinstance(found, tuple) and found:
            found = found[0]
        if ok and found is not None:
            if name == "_repr_json_" and isinstance(found, str):
                ok, found = attempt(json.loads, found)
            if ok:
                data.update(checked({mime: found}))
    return data


# Types that this package represents better than they do, and how.
_own = []


def register(types, represent):
    """Has represent give the bundles of values of these types."""
    _own.append((types, represent))


def own(value):
    kind = type(value)
    for types, represent in _own:
        if issubclass(kind, types):
            return represent
    return None


def picture(image):
    """The bundle of a PIL image: PNG alone, whatever format it came in."""
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG")
    return {"image/png": out.getvalue()}


def asks_back(value):
    """Whether a value answers to names that nobody gave it, or raises for
    them; classes do not represent themselves either."""
    if isinstance(value, type):
        return True
    try:
        return getattr(value, CANARY, None) is not None
    except MemoryError:
        raise
    except Exception:
        return True


def method(value, name):
    try:
        found = getattr(value, name, None)
        return found if callable(found) else None
    except MemoryError:
        raise
    except Exception:
        return None


def chosen(data, include, exclude):
    if include:
        data = {mime: part for mime, part in data.items() if mime in include}
    if exclude:
        data = {mime: part for mime, part in data.items() if mime not in exclude}
    return data


def checked(data):
    """A bundle as a program made it with its parts as text, bytes or encoded
    JSON; those that can't be are reported and left out."""
    if not isinstance(data, dict):
        complain(TypeError(f"a bundle is a dict from media type to data, not {type(data).__name__}"))
        return {}
    out = {}
    for mime, part in data.items():
        if part is None:
            continue
        if not (isinstance(mime, str) and "/" in mime and mime.isascii() and mime.isprintable() and len(mime) <= MAX_MIME):
            complain(ValueError(f"not a media type: {mime!r:.200}"))
            continue
        ok, found = attempt(encoded, mime.lower(), part)
        if ok:
            out[mime.lower()] = found
    return out


def encoded(mime, part):
    if is_json(mime):
        return dumps(part)
    if is_text(mime):
        if isinstance(part, (bytes, bytearray, memoryview)):
            return bytes(part).decode("utf-8", "replace")
        if isinstance(part, str):
            return str(part)
        raise TypeError(f"{mime} is text, not {type(part).__name__}")
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    if isinstance(part, str):  # base64, as notebooks hold it
        try:
            return base64.b64decode(part.replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"{mime} is bytes, or base64 text") from None
    raise TypeError(f"{mime} is bytes, not {type(part).__name__}")


def dumps(value):
    """JSON without what JSON has no numbers for: NaN and the infinities become
    null. What has no JSON form becomes its str."""
    try:
        return encode(value)
    except ValueError:
        pass
    return encode(finite(value))


encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=lambda value: simple(value)).encode


def simple(value):
    """A value that JSON does not know as one that it does."""
    for convert in ("tolist", "isoformat"):  # numpy and pandas; dates and times
        f = getattr(value, convert, None)
        if callable(f) and not isinstance(value, type):
            return finite(f())
    if isinstance(value, (set, frozenset)):
        return list(value)
    return str(value)


def finite(value, depth=0):
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth > 100:
        raise ValueError("nested too deeply, or in itself")
    if isinstance(value, dict):
        return {key: finite(part, depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part, depth + 1) for part in value]
    return value


def send(data, main=False):
    """Sends a bundle after the output that came before it. main says that it
    is of the value of the last expression."""
    for stream in (sys.stdout, sys.stderr):
        attempt(getattr(stream, "flush", bool))
    message = Writer()
    message.u8(1 if main else 0)
    message.u32(len(data))
    for mime, part in data.items():
        message.str(mime)
        message.bytes(part if isinstance(part, bytes) else part.encode("utf-8", "replace"))
    host.call(op.DISPLAY, message.done())


def attempt(function, *args, **kwargs):
    """Calls what a program wrote: whether it came back, and its answer. Its
    exception is reported; that it is out of memory is not caught."""
    try:
        return True, function(*args, **kwargs)
    except NotImplementedError:
        return False, None
    except MemoryError:
        raise
    except Exception as error:
        complain(error)
        return False, None


def complain(error):
    """Reports an exception on stderr, from the program's own frames on."""
    import traceback

    where = error.__traceback__
    while where is not None and where.tb_frame.f_globals.get("__package__") == __package__:
        where = where.tb_next
    try:
        traceback.print_exception(type(error), error, where, limit=MAX_FRAMES)
    except MemoryError:
        raise
    except Exception:
        pass  # sys.stderr may be anything by now
