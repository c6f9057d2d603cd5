"""The modules js and pyodide.ffi, as examples of Python workers import them: thin
classes of Python's own behind the names of JavaScript."""

import base64
import datetime
import importlib
import json
import math
import os
import sys
import time
import uuid
from types import ModuleType
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from . import host, op, stub, value, web, web_body, web_form, web_headers, worker_loop

# What encodeURI and encodeURIComponent leave as it is, besides letters and digits.
_COMPONENT = "-_.!~*'()"
_URI = _COMPONENT + ";/?:@&=+$,#"

LEVELS = {"debug": 0, "log": 1, "info": 2, "warn": 3, "error": 4, "trace": 0}


class Console:
    """console: messages of the event under way."""

    def _log(self, level, args):
        text = " ".join(arg if isinstance(arg, str) else repr(arg) for arg in args)
        try:
            message = json.dumps([value.plain(arg) for arg in args], ensure_ascii=False, allow_nan=False, default=repr)
        except (TypeError, ValueError, RecursionError):
            message = json.dumps([text])
        data, message = text.encode("utf-8", "backslashreplace"), message.encode("utf-8", "backslashreplace")
        host.call(op.LOG, bytes((LEVELS[level],)) + len(data).to_bytes(4, "little") + data + len(message).to_bytes(4, "little") + message)


for _level in LEVELS:
    setattr(Console, _level, lambda self, *args, _level=_level: self._log(_level, args))


class ObjectMaker:
    """Object: functions of plain objects."""

    def __call__(self, *args):
        return value.Object(*args)

    new = __call__

    def fromEntries(self, entries):
        return value.Object((key, v) for key, v in (entries.items() if hasattr(entries, "items") else entries))

    def assign(self, target, *sources):
        for source in sources:
            target.update(source)
        return target

    def entries(self, o):
        return [list(pair) for pair in o.items()]

    def keys(self, o):
        return list(o.keys())

    def values(self, o):
        return list(o.values())

    def freeze(self, o):
        return o


class Json:
    def parse(self, text, reviver=None):
        try:
            return json.loads(text, object_hook=value.Object)
        except ValueError as error:
            raise value.JsException(str(error), "SyntaxError") from None

    def stringify(self, o, replacer=None, space=None):
        return json.dumps(value.plain(o), ensure_ascii=False, indent=space or None, separators=None if space else (",", ":"), default=to_json)


def to_json(o):
    if isinstance(o, datetime.datetime):
        return Date.from_datetime(o).toISOString()
    if isinstance(o, Date):
        return o.toISOString()
    if isinstance(o, (set, frozenset)):
        return {}
    raise TypeError(f"{type(o).__name__} is not of JSON")


class Date:
    """A time, in milliseconds."""

    def __init__(self, when=None):
        if when is None:
            self._ms = Date.now()
        elif isinstance(when, Date):
            self._ms = when._ms
        elif isinstance(when, str):
            self._ms = Date.parse(when)
        else:
            self._ms = when

    new = classmethod(lambda cls, *args: cls(*args))

    @classmethod
    def from_datetime(cls, when):
        return cls(round((when if when.tzinfo else when.replace(tzinfo=value.UTC)).timestamp() * 1000))

    @staticmethod
    def now():
        return int(time.time() * 1000)

    @staticmethod
    def parse(text):
        try:
            when = datetime.datetime.fromisoformat(text)
        except ValueError:
            return math.nan
        return round((when if when.tzinfo else when.replace(tzinfo=value.UTC)).timestamp() * 1000)

    def getTime(self):
        return self._ms

    valueOf = getTime

    def _time(self):
        return datetime.datetime.fromtimestamp(self._ms / 1000, value.UTC)

    to_py = _time

    def toISOString(self):
        when = self._time()
        return when.strftime("%Y-%m-%dT%H:%M:%S") + f".{when.microsecond // 1000:03}Z"

    toJSON = toISOString

    def getFullYear(self):
        return self._time().year

    def getMonth(self):
        return self._time().month - 1

    def getDate(self):
        return self._time().day

    def getDay(self):
        return (self._time().weekday() + 1) % 7

    def getHours(self):
        return self._time().hour

    def getMinutes(self):
        return self._time().minute

    def getSeconds(self):
        return self._time().second

    def getMilliseconds(self):
        return self._time().microsecond // 1000

    getUTCFullYear, getUTCMonth, getUTCDate, getUTCDay = getFullYear, getMonth, getDate, getDay
    getUTCHours, getUTCMinutes, getUTCSeconds = getHours, getMinutes, getSeconds

    def __repr__(self):
        return self.toISOString()


class URLSearchParams(web_headers.Newable):
    """The query of a URL."""

    def __init__(self, init=""):
        if isinstance(init, str):
            self._list = parse_qsl(init.removeprefix("?"), keep_blank_values=True)
        else:
            self._list = [(str(k), str(v)) for k, v in (init.items() if hasattr(init, "items") else init)]
        self._changed = None

    def get(self, name, default=None):
        return next((v for n, v in self._list if n == name), default)

    def getAll(self, name):
        return [v for n, v in self._list if n == name]

    def has(self, name):
        return any(n == name for n, _ in self._list)

    __contains__ = has

    def _change(self, pairs):
        self._list = pairs
        if self._changed is not None:
            self._changed(str(self))

    def append(self, name, v):
        self._change([*self._list, (str(name), str(v))])

    def set(self, name, v):
        self._change([pair for pair in self._list if pair[0] != name] + [(str(name), str(v))])

    def delete(self, name):
        self._change([pair for pair in self._list if pair[0] != name])

    def keys(self):
        return [n for n, _ in self._list]

    def values(self):
        return [v for _, v in self._list]

    def entries(self):
        return list(self._list)

    items = entries

    def __getitem__(self, name):
        if name not in self:
            raise KeyError(name)
        return self.get(name)

    def __iter__(self):
        return iter(self._list)

    def _urlencoded(self):
        return urlencode(self._list)

    toString = __str__ = _urlencoded


_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class URL(web_headers.Newable):
    """An absolute URL, and its parts."""

    def __init__(self, url, base=None):
        url = str(url)
        self._parts = urlsplit(urljoin(str(base), url) if base is not None else url)
        try:
            self._parts.port
        except ValueError:
            raise TypeError("Invalid URL string.") from None
        if not self._parts.scheme or self._parts.scheme in _PORTS and not self._parts.hostname:
            raise TypeError("Invalid URL string.")
        if not self._parts.path and self._parts.netloc:
            self._parts = self._parts._replace(path="/")
        self._params = None

    protocol = property(lambda self: self._parts.scheme + ":")
    hostname = property(lambda self: self._parts.hostname or "")
    username = property(lambda self: self._parts.username or "")
    password = property(lambda self: self._parts.password or "")

    @property
    def port(self):
        port = self._parts.port
        return "" if port is None or port == _PORTS.get(self._parts.scheme) else str(port)

    @property
    def host(self):
        return self.hostname + (":" + self.port if self.port else "")

    @property
    def origin(self):
        return f"{self.protocol}//{self.host}" if self._parts.scheme in _PORTS else "null"

    def _set(self, **parts):
        self._parts = self._parts._replace(**parts)

    pathname = property(lambda self: self._parts.path, lambda self, v: self._set(path=v if v.startswith("/") else "/" + v))
    search = property(lambda self: "?" + self._parts.query if self._parts.query else "", lambda self, v: self._set(query=v.removeprefix("?")))
    hash = property(lambda self: "#" + self._parts.fragment if self._parts.fragment else "", lambda self, v: self._set(fragment=v.removeprefix("#")))

    @property
    def searchParams(self):
        if self._params is None:
            self._params = URLSearchParams(self._parts.query)
            self._params._changed = lambda query: self._set(query=query)
        return self._params

    @property
    def href(self):
        return self._parts.geturl()

    toString = toJSON = __str__ = lambda self: self.href

    def __repr__(self):
        return f"<URL {self.href}>"


class TextEncoder(web_headers.Newable):
    def encode(self, text=""):
        return text.encode("utf-8", "replace")


class TextDecoder(web_headers.Newable):
    def __init__(self, label="utf-8", options=None):
        self.encoding = label

    def decode(self, data=b""):
        return bytes(data).decode(self.encoding, "replace")


class Bytes:
    """Uint8Array and ArrayBuffer: bytes."""

    def new(self, init=0):
        return bytes(init)

    __call__ = of = from_ = new


class Array:
    def new(self, *items):
        return list(items)

    of = __call__ = new

    def from_(self, items):
        return list(items)

    def isArray(self, o):
        return isinstance(o, (list, tuple))


setattr(Array, "from", Array.from_)


class MapMaker:
    def new(self, entries=()):
        return dict(entries)

    __call__ = new


class SetMaker:
    def new(self, items=()):
        return set(items)

    __call__ = new


class Crypto:
    def randomUUID(self):
        return str(uuid.uuid4())

    def getRandomValues(self, buffer):
        data = os.urandom(len(buffer))
        if isinstance(buffer, bytearray):
            buffer[:] = data
            return buffer
        return data


class Performance:
    timeOrigin = 0

    def now(self):
        return time.monotonic() * 1000


class Promise:
    @staticmethod
    def resolve(v=None):
        async def give():
            return await v if hasattr(v, "__await__") else v
        return give()

    @staticmethod
    async def all(awaitables):
        import asyncio

        return list(await asyncio.gather(*awaitables))

    @staticmethod
    def new(executor):
        future = worker_loop.worker.create_future()
        executor(lambda v=None: future.done() or future.set_result(v), lambda error=None: future.done() or future.set_exception(
            error if isinstance(error, BaseException) else value.JsException(str(error))))
        return future


_timers = {}


def set_timeout(function, milliseconds=0, *args):
    handle = worker_loop.worker.call_later((milliseconds or 0) / 1000, lambda: (_timers.pop(number, None), call(function, args)))
    number = len(_timers) + 1
    while number in _timers:
        number += 1
    _timers[number] = handle
    return number


def call(function, args):
    result = function(*args)
    if hasattr(result, "__await__"):
        from .worker import as_future

        as_future(result)


def clear_timeout(number):
    handle = _timers.pop(number, None)
    if handle is not None:
        handle.cancel()


class Navigator:
    userAgent = "Cloudflare-Workers"


def atob(text):
    return base64.b64decode(text + "=" * (-len(text) % 4)).decode("latin-1")


def btoa(text):
    return base64.b64encode(text.encode("latin-1")).decode()


def fetch(resource, init=None, **options):
    return web.fetch(str(resource) if isinstance(resource, URL) else resource, init, **options)


# ---- pyodide.ffi


class JsProxyKind(type):
    def __instancecheck__(cls, o):
        return isinstance(o, (value.Object, web_headers.Newable, stub.Callable))


class JsProxy(metaclass=JsProxyKind):
    """What stands for objects of JavaScript: those of the module js, and stubs."""


class PyProxy:
    """A function or object that is given to JavaScript."""

    def __init__(self, o):
        self._o = o

    def __call__(self, *args, **named):
        return self._o(*args, **named)

    def __getattr__(self, name):
        return getattr(self._o, name)

    def destroy(self):
        pass


def create_proxy(o, **options):
    return PyProxy(o) if callable(o) else o


def to_js(o, *, dict_converter=None, default_converter=None, **options):
    """A value as JavaScript is to have it: a dict becomes a Map, unless
    dict_converter makes something else of its entries."""
    if dict_converter is None:
        return o
    if isinstance(o, dict):
        return dict_converter([[key, to_js(v, dict_converter=dict_converter)] for key, v in o.items()])
    if isinstance(o, (list, tuple)):
        return [to_js(v, dict_converter=dict_converter) for v in o]
    return o


def to_py(o, **options):
    return value.plain(o)


def run_sync(awaitable):
    """Waits for something, where it is called."""
    async def wait():
        return await awaitable

    return worker_loop.worker.run_until_complete(wait())


def import_module(name):
    return importlib.import_module(name)


def write_proxy(e, o, depth):
    e.value(o._o, depth)


value.writers[PyProxy] = write_proxy
value.writers[Date] = lambda e, o, depth: e.tagged(value.DATE, o._ms, depth)


def modules():
    js = {
        "Response": web.Response, "Request": web.Request, "Headers": web_headers.Headers, "FormData": web_form.FormData, "Blob": web_form.Blob, "File": web_form.File,
        "ReadableStream": web_body.ReadableStream, "fetch": fetch, "console": Console(), "Object": ObjectMaker(), "JSON": Json(), "Date": Date, "URL": URL,
        "URLSearchParams": URLSearchParams, "TextEncoder": TextEncoder, "TextDecoder": TextDecoder, "Uint8Array": Bytes(), "ArrayBuffer": Bytes(),
        "Array": Array(), "Map": MapMaker(), "Set": SetMaker(), "crypto": Crypto(), "performance": Performance(), "Promise": Promise, "Math": Math(),
        "setTimeout": set_timeout, "clearTimeout": clear_timeout, "navigator": Navigator(), "atob": atob, "btoa": btoa,
        "Error": value.JsException, "encodeURIComponent": lambda text: quote(str(text), safe=_COMPONENT), "encodeURI": lambda text: quote(str(text), safe=_URI),
        "decodeURIComponent": lambda text: unquote(str(text)), "decodeURI": lambda text: unquote(str(text)), "parseInt": parse_int, "parseFloat": float,
        "String": str, "Number": float, "Boolean": bool, "undefined": None,
    }
    ffi = {
        "to_js": to_js, "to_py": to_py, "create_proxy": create_proxy, "create_once_callable": create_proxy, "destroy_proxies": lambda proxies: None,
        "run_sync": run_sync, "can_run_sync": lambda: True, "JsException": value.JsException, "JsProxy": JsProxy, "JsPromise": stub.Promise,
        "JsArray": list, "JsMap": dict, "JsBuffer": bytes, "JsCallable": stub.Callable, "JsFetchResponse": web.Response, "jsnull": None, "JsNull": type(None),
    }
    return js, ffi


def parse_int(text, base=10):
    digits = str(text).strip()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    end = 0
    while end < len(digits) and digits[end].isalnum() and int(digits[end], 36) < base:
        end += 1
    return sign * int(digits[:end], base) if end else math.nan


class Math:
    PI, E = math.pi, math.e
    floor, ceil, sqrt, pow, sin, cos, tan, log, exp = map(staticmethod, (math.floor, math.ceil, math.sqrt, math.pow, math.sin, math.cos, math.tan, math.log, math.exp))
    abs, max, min = map(staticmethod, (abs, max, min))

    @staticmethod
    def round(x):
        return math.floor(x + 0.5)

    @staticmethod
    def random():
        import random

        if host.evaluating:
            raise RuntimeError(host.GLOBAL_SCOPE)
        return random.random()


def install():
    """Makes the modules importable."""
    names, foreign = modules()
    js = sys.modules["js"] = ModuleType("js", "The globals of JavaScript that Workers in Python use.")
    js.__dict__.update(names)
    js.globalThis = js.self = js
    pyodide = sys.modules["pyodide"] = ModuleType("pyodide", "The part of Pyodide that Workers in Python use.")
    pyodide.__path__ = []
    pyodide.__version__ = "0.28.0"
    for name, contents in (("ffi", foreign), ("http", {"pyfetch": fetch, "FetchResponse": web.Response})):
        module = sys.modules["pyodide." + name] = ModuleType("pyodide." + name)
        module.__dict__.update(contents)
        setattr(pyodide, name, module)
