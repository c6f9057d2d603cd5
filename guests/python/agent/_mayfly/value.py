"""Values as isolates pass them to each other: the table of tags is in the Go
package host/rpc. What is no plain value registers how it goes here. How it comes
is in value_decoder.

A dict goes as a Map and comes from one; a plain object of JavaScript is an
[Object], which is a dict, too, and goes as what it was.
"""

import array
import datetime
import re
import sys
from dataclasses import fields as dataclass_fields, is_dataclass
from struct import Struct, pack

from . import errors

MAX_NESTING = 512
SAFE = (1 << 53) - 1

REFERENCE, SET, MAP, SURROGATES = 29, 258, 259, 273
RESIZABLE, SPARSE, BOXED, DATE, REGEXP, ERROR, DOM_EXCEPTION, DATA_VIEW = 60001, 60002, 60003, 60004, 60005, 60006, 60007, 60000
DISPOSABLE = 60016

# Kinds of errors that languages share.
CLASSES = frozenset(("Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError", "AggregateError"))

UTC = datetime.timezone.utc
_double = Struct(">d").pack


class Object(dict):
    """A plain object of JavaScript: its properties are attributes, too."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            if name.startswith("__"):
                raise AttributeError(name) from None
            return None

    def __setattr__(self, name, value):
        self[name] = value

    def to_py(self, **options):
        return plain(self)

    def object_entries(self):
        return list(self.items())

    def object_keys(self):
        return list(self)

    def object_values(self):
        return list(self.values())


def plain(o):
    """A value with dicts in the place of objects."""
    if isinstance(o, dict):
        return {key: plain(v) for key, v in o.items()}
    if isinstance(o, list):
        return [plain(v) for v in o]
    return o


def objects(o):
    """A value with plain objects in the place of dicts, for what JavaScript has as
    such: env, props."""
    if type(o) is dict:
        return Object((str(key), objects(v)) for key, v in o.items())
    if type(o) is list:
        return [objects(v) for v in o]
    return o


class JsException(Exception):
    """An error of JavaScript, or of anything else at the other end."""

    def __init__(self, message="", name="Error", stack=""):
        super().__init__(message)
        self.message, self.name, self.stack = message, name, stack

    def __str__(self):
        return self.message

    @classmethod
    def new(cls, message="", *rest):
        return cls(message)


errors.foreign = (JsException,)

_KINDS = {"RangeError": ValueError, "DataCloneError": TypeError, "ReferenceError": NameError}


def exception(name, message, stack=""):
    """The exception for an error's name: Python's own where it has one, else a
    JsException that has it."""
    import builtins

    kind = _KINDS.get(name) or getattr(builtins, name, None)
    if kind is KeyError and len(message) > 1 and message[0] == message[-1] and message[0] in "'\"":
        message = message[1:-1]  # which is the repr of what it was made with
    if name not in ("Error", "SyntaxError") and isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(message)
            error.stack = stack
            return error
        except Exception:
            pass  # it wants something else
    return JsException(message, name, stack)


def refused(o):
    return TypeError(f'Could not serialize object of type "{type(o).__name__}". This type does not support serialization.')


writers = {}  # type: function of an encoder, a value and the depth


class Encoder:
    __slots__ = ("out", "capabilities", "seen", "kept", "count")

    def __init__(self):
        self.out = bytearray()
        self.capabilities = []
        self.seen = {}
        self.kept = []  # what seen has the id of
        self.count = 0

    def head(self, major, n):
        out = self.out
        if n < 24:
            out.append(major | n)
        elif n < 256:
            out += bytes((major | 24, n))
        elif n < 65536:
            out += pack(">BH", major | 25, n)
        elif n < 1 << 32:
            out += pack(">BI", major | 26, n)
        else:
            out += pack(">BQ", major | 27, n)

    def object(self, major, n):
        """The head of something that has a number."""
        self.head(major, n)
        self.count += 1

    def again(self, o):
        """Writes a reference to what was written before, if it was."""
        number = self.seen.get(id(o))
        if number is None:
            self.seen[id(o)] = self.count
            self.kept.append(o)
            return False
        self.head(0xC0, REFERENCE)
        self.head(0, number)
        return True

    def value(self, o, depth=0):
        if depth > MAX_NESTING:
            raise ValueError(f"a value is nested more than {MAX_NESTING} deep")
        write = writers.get(type(o))
        if write is None:
            write = writer_of(o)
        write(self, o, depth)

    def capability(self, kind, handle):
        """Adds a capability: its index."""
        self.capabilities.append((kind, handle))
        return len(self.capabilities) - 1

    def tagged(self, tag, o, depth):
        self.object(0xC0, tag)
        self.value(o, depth + 1)

    def text(self, s):
        try:
            data = s.encode()
        except UnicodeEncodeError:
            data = s.encode("utf-8", "surrogatepass")
            self.head(0xC0, SURROGATES)
            self.head(0x40, len(data))
        else:
            self.head(0x60, len(data))
        self.out += data

    def bytes(self, data):
        self.object(0x40, len(data))
        self.out += data

    def fields(self, items, depth):
        self.object(0xA0, len(items))
        for name, v in items:
            self.text(name if isinstance(name, str) else str(name))
            self.value(v, depth + 1)


def writer_of(o):
    """How a value of a type goes that has no writer of its own."""
    for kind in type(o).__mro__[1:-1]:
        if kind in writers:
            return writers[kind]
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(o, numpy.generic):
            return lambda e, o, depth: e.value(o.item(), depth)
        if isinstance(o, numpy.ndarray):
            return write_array
    if is_dataclass(o) and not isinstance(o, type):
        return write_dataclass
    if callable(o):
        return writers["callable"]
    if hasattr(o, "__aiter__"):
        return writers["stream"]
    if isinstance(o, (type({}.keys()), type({}.values()), range)):
        return write_list
    raise refused(o)


def write_none(e, o, depth):
    e.out.append(0xF6)


def write_bool(e, o, depth):
    e.out.append(0xF5 if o else 0xF4)


def write_int(e, o, depth):
    if 0 <= o <= SAFE:
        e.head(0, o)
    elif -SAFE <= o < 0:
        e.head(0x20, -1 - o)
    else:
        e.head(0xC0, 2 if o >= 0 else 3)
        if o < 0:
            o = -1 - o
        data = o.to_bytes((o.bit_length() + 7) // 8, "big")
        e.head(0x40, len(data))
        e.out += data


def write_float(e, o, depth):
    e.out.append(0xFB)
    e.out += _double(o) if o == o else b"\x7f\xf8\0\0\0\0\0\0"


def write_str(e, o, depth):
    e.text(o)


def write_bytes(e, o, depth):
    e.bytes(o if isinstance(o, (bytes, bytearray)) else bytes(o))


def write_list(e, o, depth):
    if e.again(o):
        return
    e.object(0x80, len(o))
    for item in o:
        e.value(item, depth + 1)


def write_dict(e, o, depth):
    if e.again(o):
        return
    e.object(0xC0, MAP)
    e.object(0xA0, len(o))
    for key, item in o.items():
        e.value(key, depth + 2)
        e.value(item, depth + 2)


def write_object(e, o, depth):
    if not e.again(o):
        e.fields(o.items(), depth)


def write_dataclass(e, o, depth):
    if not e.again(o):
        e.fields([(f.name, getattr(o, f.name)) for f in dataclass_fields(o)], depth)


def write_set(e, o, depth):
    if e.again(o):
        return
    e.object(0xC0, SET)
    e.object(0x80, len(o))
    for item in o:
        e.value(item, depth + 2)


def write_datetime(e, o, depth):
    e.object(0xC0, DATE)
    if o.tzinfo is None:
        o = o.replace(tzinfo=UTC)
    e.value(round(o.timestamp() * 1000))


def write_date(e, o, depth):
    write_datetime(e, datetime.datetime(o.year, o.month, o.day), depth)


def write_exception(e, o, depth):
    if e.again(o):
        return
    name = getattr(o, "name", None) if isinstance(o, JsException) else type(o).__name__
    kind = name if name in CLASSES else "Error"
    items = [("message", o.message if isinstance(o, JsException) else str(o))]
    if name != kind:
        items.append(("name", name))
    if getattr(o, "stack", ""):
        items.append(("stack", o.stack))
    if o.__cause__ is not None:
        items.append(("cause", o.__cause__))
    e.object(0xC0, ERROR)
    e.object(0x80, 2)
    e.text(kind)
    e.fields(items, depth + 2)


_TYPED = {"u1": 64, "u2": 69, "u4": 70, "u8": 71, "i1": 72, "i2": 77, "i4": 78, "i8": 79, "f2": 84, "f4": 85, "f8": 86}


def write_array(e, o, depth):
    """An array of numpy: with one dimension a typed array, else nested lists."""
    tag = _TYPED.get(o.dtype.str[1:])
    if o.ndim != 1 or tag is None:
        write_list(e, o.tolist(), depth) if o.ndim else e.value(o.item(), depth)
        return
    e.object(0xC0, tag)
    e.bytes(o.astype(o.dtype.newbyteorder("<")).tobytes())


# The tags of typed arrays, by the types of array.array: some differ only in C.
_ARRAYS = {code: _TYPED[("f" if code in "fd" else "u" if code.isupper() else "i") + str(array.array(code).itemsize)] for code in "bBhHiIlLqQfd"}


def write_typed(e, o, depth):
    if e.again(o):
        return
    tag = _ARRAYS.get(o.typecode)
    if tag is None:
        raise refused(o)
    e.object(0xC0, tag)
    e.bytes(o.tobytes())


def write_pattern(e, o, depth):
    flags = "".join(letter for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)) if o.flags & flag)
    e.object(0xC0, REGEXP)
    e.value([o.pattern, flags], depth + 1)


writers.update({
    type(None): write_none, bool: write_bool, int: write_int, float: write_float, str: write_str, bytes: write_bytes, bytearray: write_bytes,
    memoryview: write_bytes, list: write_list, tuple: write_list, dict: write_dict, Object: write_object, set: write_set, frozenset: write_set,
    datetime.datetime: write_datetime, datetime.date: write_date, BaseException: write_exception, re.Pattern: write_pattern, array.array: write_typed,
})


def write(o, result=False):
    """A value as messages have it: bytes, and the capabilities. No result is
    undefined, as that of a function."""
    if o is None and result:
        return b"\1\0\0\0\xf7\0\0\0\0"
    e = Encoder()
    e.value(o)
    out = e.out
    message = len(out).to_bytes(4, "little") + out + len(e.capabilities).to_bytes(4, "little")
    for kind, handle in e.capabilities:
        message += pack("<BI", kind, handle)
    return bytes(message)
