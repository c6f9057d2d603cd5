"""Bindings: what a program finds in env besides its variables.

The host describes them when env is first looked at, and knows each by a number
that holds for one execution. An operation is begun by the call, and settled as
those of the network are. Where code awaits, what the call gives is a [Later],
which can be awaited, or used as it is: then it blocks. Where no event loop runs
it is the value itself. host/binding has the messages of the methods.
"""

import importlib.abc
import importlib.util
import json
import os
import re
import sys
import types
from collections.abc import Iterable

from . import codec, host, loop, op
from . import net_operations as operations
from .net_peer import encode_read, encode_write

INLINE = 256 << 10  # bytes of a body that go with the operation; larger ones follow it


class BindingError(Exception):
    """Why an operation of a binding failed. code is a number (R2, KV) or a word
    such as ERR_BINDING_LIMIT; action is the method's name."""

    def __init__(self, message, code=None, action=None):
        super().__init__(message)
        self.code, self.action = code, action


class R2Error(BindingError):
    pass


class KVError(BindingError):
    pass


def failure(payload, kind, action):
    """The exception for an error record."""
    r = codec.Reader(payload)
    name, code, message = r.str(), r.str(), r.str()
    if name == "TypeError":
        return TypeError(message)
    if name == "RangeError":
        return ValueError(message)
    if not code:
        return kind(message, None, action)
    number = int(code) if code.isdigit() else code
    if kind is R2Error:
        message = f"{action}: {message} ({code})" if code.isdigit() else f"{action}: {message}"
    return kind(message, number, action)


# ---- operations

class Later:
    """The value of an operation that is under way: awaitable, and blocking where
    anything else is done with it. wait() gives the value itself, which is what to
    compare with None."""

    def __init__(self, steps):
        fields = object.__getattribute__(self, "__dict__")
        fields.update(steps=steps, done=False, value=None, error=None, waiters=[], id=None, seen=False)
        _advance(fields, None, None)

    def wait(self):
        fields = object.__getattribute__(self, "__dict__")
        operations.until(lambda: fields["done"], None)
        return _result(fields)

    def __await__(self):
        fields = object.__getattribute__(self, "__dict__")
        if not fields["done"]:
            future = loop.running().create_future()
            fields["waiters"].append(future)
            try:
                yield from future
            except BaseException:
                if not fields["done"] and fields["id"] is not None:
                    operations.cancel(fields["id"])
                raise
        return _result(fields)

    def __del__(self):
        # What nobody has looked at is done all the same, before the program
        # goes on; that it failed is said where nobody can catch it.
        fields = object.__getattribute__(self, "__dict__")
        if not fields.get("seen", True):
            self.wait()

    def __getattribute__(self, name):
        if name in _OWN:
            return object.__getattribute__(self, name)
        if name == "__class__":
            return type(object.__getattribute__(self, "wait")())
        return getattr(object.__getattribute__(self, "wait")(), name)

    def __repr__(self):
        return repr(self.wait())


_OWN = frozenset(("wait", "__await__", "__del__"))


def _special(name):
    def method(self, *args):
        return getattr(self.wait(), name)(*args)
    method.__name__ = name
    return method


def _function(name, function):
    def method(self, *args):
        return function(self.wait(), *args)
    method.__name__ = name
    return method


for _name in ("getitem", "setitem", "call", "enter", "exit", "add", "radd", "mul", "mod", "lt", "le", "gt", "ge", "index"):
    setattr(Later, f"__{_name}__", _special(f"__{_name}__"))
for _name, _f in (("str", str), ("bytes", bytes), ("bool", bool), ("len", len), ("iter", iter), ("next", next), ("int", int), ("float", float),
                  ("hash", hash), ("format", format), ("eq", lambda a, b: a == b), ("ne", lambda a, b: a != b), ("contains", lambda a, b: b in a)):
    setattr(Later, f"__{_name}__", _function(f"__{_name}__", _f))


def _result(fields):
    fields["seen"] = True
    if fields["error"] is not None:
        raise fields["error"]
    return fields["value"]


def _advance(fields, payload, error):
    """Goes on with the steps: each is (operation, message, what fails it, chunks
    to send after it or None)."""
    fields["id"] = None
    try:
        step = fields["steps"].send(payload) if error is None else fields["steps"].throw(error)
    except StopIteration as end:
        _finish(fields, end.value, None)
        return
    except Exception as failed:
        _finish(fields, None, failed)
        return
    number, message, fail, chunks = step
    pump = None

    def done(ok, payload):
        if pump is not None:
            pump.stop()
        if ok:
            _advance(fields, payload, None)
        else:
            _advance(fields, None, fail(payload))

    id = fields["id"] = operations.start(number, message, done)
    if chunks is not None:
        def broke(error):
            operations.cancel(id)
            _advance(fields, None, error)

        pump = _Pump(id, chunks, broke)
        pump.next()


def _finish(fields, value, error):
    fields.update(done=True, value=value, error=error)
    waiters, fields["waiters"] = fields["waiters"], []
    for future in waiters:
        if not future.done():
            future.set_result(None)


class _Pump:
    """Sends chunks as the body of an operation, one at a time."""

    def __init__(self, id, chunks, broke):
        self.id, self.chunks, self.broke, self.over = id, chunks, broke, False

    def stop(self):
        self.over = True

    def next(self):
        if self.over:
            return
        try:
            chunk = next(self.chunks, None)
        except BaseException as error:
            self.over = True
            operations.start(op.BODY_WRITE, encode_write(self.id, 2), _ignore)
            if not isinstance(error, Exception):
                raise
            self.broke(error)
            return
        if chunk is None:
            self.over = True
            operations.start(op.BODY_WRITE, encode_write(self.id, 1), _ignore)
            return
        operations.start(op.BODY_WRITE, encode_write(self.id, 0, chunk), lambda ok, payload: self.next() if ok else self.stop())


def _ignore(ok, payload):
    pass


def perform(steps):
    """Begins the steps of an operation: their value, or a [Later] of it where
    code may await."""
    later = Later(steps)
    if loop.running() is None:
        return later.wait()
    return later


def operation(reference, method, arguments, content, fail):
    """One operation, for steps to yield from: (answer, body)."""
    handle = reference.handle()
    kind, data, chunks = 0, b"", None
    if isinstance(content, (bytes, bytearray, memoryview)):
        if len(content) <= INLINE:
            kind, data = 1, content
        else:
            kind, chunks = 2, pieces(memoryview(content).cast("B"))
    elif content is not None:
        kind, chunks = 2, content
    w = codec.Writer()
    w.u32(handle).u8(method).bytes(arguments).u8(kind).bytes(data)
    payload = yield op.BINDING, w.done(), fail, chunks
    r = codec.Reader(payload)
    answer = codec.Reader(r.bytes())
    return answer, Body(r.u8(), r.bytes(), r.u32(), fail)


def pieces(view):
    for at in range(0, len(view), INLINE):
        yield view[at:at + INLINE]


def content_of(value):
    """What a program wants stored, as bytes or an iterator of chunks: text,
    bytes, a file, or an iterable of bytes."""
    if type(value) is Later:
        value = value.wait()
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if hasattr(value, "read"):
        return _file(value)
    if isinstance(value, Iterable) and not isinstance(value, dict):
        return _chunks(value)
    raise TypeError(f"the value must be text, bytes, a file or an iterable of bytes, not {type(value).__name__}")


def _file(file):
    while chunk := file.read(INLINE):
        yield chunk.encode() if isinstance(chunk, str) else chunk


def _chunks(values):
    for chunk in values:
        yield from pieces(memoryview(chunk.encode() if isinstance(chunk, str) else chunk).cast("B"))


class Body:
    """The body of an answer, which is read once."""

    def __init__(self, kind, data, handle, fail):
        self.kind, self.data, self.handle, self.fail = kind, data, handle, fail

    def chunk(self):
        """The next chunk, for steps to yield from; empty at the end."""
        if self.data:
            data, self.data = self.data, b""
            return data
        while self.handle:
            r = codec.Reader((yield op.BODY_READ, encode_read(self.handle), self.fail, None))
            if r.u8():
                self.handle = 0
            elif data := r.bytes():
                return data
        return b""

    def all(self):
        parts = []
        while part := (yield from self.chunk()):
            parts.append(part)
        return b"".join(parts)

    def close(self):
        self.data = b""
        if self.handle:
            operations.cancel_body(self.handle)
            self.handle = 0


# ---- names

def snake(name):
    """A name as Python has it: httpMetadata is http_metadata."""
    return re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name)


class Fields(dict):
    """A dict whose keys are attributes too, also by the names of JavaScript."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[snake(name)]
        except KeyError:
            return None


def options_of(given, named, known, what):
    """The options of a call: a dict with the names of either language, or keywords."""
    merged = {snake(name): value for name, value in (given or {}).items()}
    merged.update({snake(name): value for name, value in named.items()})
    for name in merged:
        if name not in known:
            raise TypeError(f"{what} has no option {name}: there are {', '.join(known)}")
    return merged


# ---- env

class Reference:
    """A binding by its name: its number is looked up again in each execution."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def handle(self):
        entry = bindings().get(self.name)
        if entry is None or entry[0] != self.kind:
            raise TypeError(f"the binding {self.name} is not there any more")
        return entry[1]


_table = None  # name: (kind, handle, value) of the execution
_made = {}  # (name, kind, value): the object, which cells share
makers = {}  # kind: function of a reference and a value


def forget():
    """Begins another execution in the same state."""
    global _table
    _table = None


def bindings():
    global _table
    if _table is None:
        r = codec.Reader(host.call(op.BINDINGS))
        _table = {}
        for _ in range(r.u32()):
            name, kind, handle, value = r.str(), r.str(), r.u32(), r.bytes()
            _table[name] = kind, handle, value
    return _table


class Env:
    """The bindings of the execution and, where none has the name, the environment
    variables: env.NAME or env["NAME"]."""

    def __getitem__(self, name):
        entry = bindings().get(name)
        if entry is None:
            return os.environ[name]
        kind, _, value = entry
        if kind == "secret":
            return value.decode()
        key = name, kind, value
        if key not in _made:
            _made[key] = json.loads(value) if kind == "var" else makers[kind](Reference(name, kind), value.decode())
        return _made[key]

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"env has no {name}: there are {', '.join(bindings()) or 'no bindings'}") from None

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name):
        return name in bindings() or name in os.environ

    def __iter__(self):
        return iter(dict.fromkeys([*bindings(), *os.environ]))

    def __len__(self):
        return len(list(iter(self)))

    def keys(self):
        return list(self)

    def __dir__(self):
        return list(self)

    def __repr__(self):
        return f"env({', '.join(self)})"


env = Env()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the module workers, where nothing else has one."""

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "workers" else None

    def create_module(self, spec):
        return types.ModuleType(spec.name, "What the Workers of other platforms import: env and fetch.")

    def exec_module(self, module):
        from .net_fetch import fetch

        vars(module).update(env=env, fetch=fetch, BindingError=BindingError, R2Error=R2Error, KVError=KVError)


def install():
    """Gives programs the name env, and the module workers."""
    import builtins

    from . import binding_kv, binding_r2, binding_web  # which say how they are made

    builtins.env = env
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
