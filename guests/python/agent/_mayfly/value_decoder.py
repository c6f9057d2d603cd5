"""The decoder of values that come from other isolates. What is no plain value
registers here how it is read.

A message may be anything: what is wrong with it is a TypeError.
"""

import array
import datetime
import re
from struct import unpack_from

from .value import (BOXED, DATA_VIEW, DATE, DISPOSABLE, DOM_EXCEPTION, ERROR, MAP, REFERENCE, REGEXP, RESIZABLE, SET, SPARSE, SURROGATES, UTC,
                    Object, exception)

readers = {}  # tag: function of its content and the decoder


# What the keys of a message may have together, beside one item a byte. References
# make trees of any size of few bytes, which a key's hash would go all through.
SPARE_ITEMS = 1000


class Malformed(ValueError):
    pass


class Decoder:
    __slots__ = ("data", "at", "objects", "capabilities", "permanent", "left")

    def __init__(self, data, capabilities, permanent):
        self.data, self.at, self.objects, self.capabilities, self.permanent = data, 0, [], capabilities, permanent
        self.left = len(data) + SPARE_ITEMS

    def head(self):
        data, at = self.data, self.at
        first = data[at]
        info = first & 31
        self.at = at + 1
        if info < 24:
            return first & 0xE0, info, info
        if info > 27:
            raise Malformed
        size = 1 << (info - 24)
        raw = data[at + 1:at + 1 + size]
        if len(raw) != size:
            raise Malformed
        self.at += size
        return first & 0xE0, info, int.from_bytes(raw, "big")

    def raw(self, n):
        data = self.data[self.at:self.at + n]
        if len(data) != n:
            raise Malformed
        self.at += n
        return data

    def value(self):
        major, info, n = self.head()
        if major == 0x60:
            return self.raw(n).decode()
        if major == 0:
            return n
        if major == 0xA0:
            made = Object()
            self.objects.append(made)
            for _ in range(n):
                key = self.value()
                if type(key) is not str:
                    raise Malformed("a property's name is no text")
                made[key] = self.value()
            return made
        if major == 0x80:
            made = []
            self.objects.append(made)
            for _ in range(n):
                made.append(self.value())
            return made
        if major == 0xC0:
            return self.tag(n)
        if major == 0xE0:
            return self.simple(info, n)
        if major == 0x40:
            data = self.raw(n)
            self.objects.append(data)
            return data
        return -1 - n

    def simple(self, info, n):
        if info == 20 or info == 21:
            return info == 21
        if info == 22 or info == 23:
            return None
        if info == 27:
            return unpack_from(">d", self.data, self.at - 8)[0]
        if info == 26:
            return unpack_from(">f", self.data, self.at - 4)[0]
        if info == 25:
            return unpack_from(">e", self.data, self.at - 2)[0]
        raise Malformed

    def plain(self, expected):
        major, _, n = self.head()
        if major != expected:
            raise Malformed
        return n

    def tag(self, tag):
        if tag == 2 or tag == 3:
            n = int.from_bytes(self.raw(self.plain(0x40)), "big")
            return n if tag == 2 else -1 - n
        if tag == SURROGATES:
            return self.raw(self.plain(0x40)).decode("utf-8", "surrogatepass")
        if tag == REFERENCE:
            return self.objects[self.plain(0)]
        objects = self.objects
        number = len(objects)
        objects.append(None)
        if tag == MAP:
            made = objects[number] = {}
            n = self.plain(0xA0)
            objects.append(None)
            for _ in range(n):
                key = self.key(self.value())
                made[key] = self.value()
            return made
        if tag == SET:
            made = objects[number] = set()
            n = self.plain(0x80)
            objects.append(None)
            for _ in range(n):
                made.add(self.key(self.value()))
            return made
        read = readers.get(tag)
        if read is None:
            raise Malformed
        made = objects[number] = read(self.value(), self)
        return made

    def key(self, key):
        """A key as Python can have it."""
        rest = [key]
        while rest:
            o = rest.pop()
            if isinstance(o, (list, tuple, set, dict)):
                self.left -= 1 + len(o)
                if self.left < 0:
                    raise Malformed("keys of Maps and Sets have too many items")
                rest.extend(o)
                if isinstance(o, dict):
                    rest.extend(o.values())
        return hashable(key)


def hashable(key):
    if isinstance(key, list):
        return tuple(map(hashable, key))
    if isinstance(key, (dict, set, bytearray, array.array)):
        return repr(key)
    return key


def text(o):
    """A text; that of a number. What has others in it may be endless as one."""
    return o if type(o) is str else str(o) if isinstance(o, (int, float)) else ""


def buffer(o):
    """Bytes: a number, too, would become some, as many as it says."""
    if not isinstance(o, (bytes, bytearray)):
        raise Malformed("a buffer is no bytes")
    return o


def read_date(content, d):
    try:
        return datetime.datetime.fromtimestamp(content / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # an invalid Date


def read_pattern(content, d):
    source, flags = text(content[0]), text(content[1])
    number = 0
    for letter, flag in (("i", re.I), ("m", re.M), ("s", re.S)):
        if letter in flags:
            number |= flag
    try:
        return re.compile(source, number)
    except (re.error, OverflowError, RecursionError):  # which JavaScript has, or a number that is too large
        return f"/{source}/{flags}"


def read_error(content, d):
    kind, items = content
    name = items.get("name") or kind
    error = exception(text(name), text(items.get("message")), text(items.get("stack")))
    if isinstance(items.get("cause"), BaseException):
        error.__cause__ = items["cause"]
    for key, v in items.items():
        if key not in ("message", "name", "stack", "cause") and not key.startswith("__"):
            try:
                setattr(error, key, v)
            except Exception:
                pass  # Python has another use for it
    return error


def read_sparse(content, d):
    length, items = content
    if length > len(items) + 10_000:
        return items
    made = [None] * length
    for key, v in items.items():
        if key.isdigit() and int(key) < length:
            made[int(key)] = v
    return made


_FORMATS = {69: "H", 70: "I", 71: "Q", 72: "b", 77: "h", 78: "i", 79: "q", 85: "f", 86: "d"}


def read_view(tag):
    size = {84: 2}.get(tag) or (array.array(_FORMATS[tag]).itemsize if tag in _FORMATS else 1)

    def read(content, d):
        if isinstance(content, list):
            data, offset, length = content
            end = len(buffer(data)) if length is None else offset + length * size
            if not 0 <= offset <= end <= len(data):
                raise Malformed("a view is outside of its buffer")
            data = bytes(data[offset:end])
        else:
            data = buffer(content)
        if tag in _FORMATS:
            return array.array(_FORMATS[tag], bytes(data[:len(data) // size * size]))
        if tag == 84:
            return array.array("f", (unpack_from("<e", data, i)[0] for i in range(0, len(data) - 1, 2)))
        return data
    return read


readers.update({tag: read_view(tag) for tag in (64, 68, 84, DATA_VIEW, *_FORMATS)})
readers.update({
    DATE: read_date, REGEXP: read_pattern, ERROR: read_error, SPARSE: read_sparse,
    RESIZABLE: lambda content, d: bytearray(buffer(content[0])), BOXED: lambda content, d: content, DISPOSABLE: lambda content, d: content[0],
    DOM_EXCEPTION: lambda content, d: exception(text(content[0]), text(content[1])),
})


def read(data, at, permanent=False):
    """The value of a message at a place: None if it is absent."""
    return read_next(data, at, permanent)[0]


def read_next(data, at, permanent=False):
    """The same, and where the rest is."""
    size, = unpack_from("<I", data, at)
    at += 4
    message = bytes(data[at:at + size])
    at += size
    count, = unpack_from("<I", data, at)
    at += 4
    capabilities = [unpack_from("<BI", data, at + 5 * i) for i in range(count)]
    at += 5 * count
    if not message:
        return None, at
    d = Decoder(message, capabilities, permanent)
    try:
        made = d.value()
        if d.at != size:
            raise Malformed("there is more behind it")
    except MemoryError:
        raise
    except Exception as error:  # what content of another type than it has to be brings about, too
        raise TypeError(f"the value can't be read: {str(error) or 'it is malformed'}") from None
    return made, at
