"""What is called elsewhere, and what others call here: stubs, the table of what
was given out, the environment of a worker.

https://developers.cloudflare.com/workers/runtime-apis/rpc/
"""

import inspect
from struct import Struct, unpack_from

from . import binding, binding_kv, binding_r2, binding_web, codec, host, net_operations, op, value, value_decoder, worker_loop
from .worker_loop import current

STUB, SERVICE, READABLE, WRITABLE, BINDING, SIGNAL = 60010, 60011, 60012, 60013, 60014, 60015
TARGET, HELD, READABLE_KIND, WRITABLE_KIND, BINDING_KIND, BODY = range(1, 7)  # kinds of capabilities
CALL, GET = 0, 1
MAX_PATH = 64

_u32 = Struct("<I").pack
NOTHING = bytes(8)  # an absent value

RESERVED = frozenset(("fetch", "connect", "alarm", "webSocketMessage", "webSocketClose", "webSocketError", "scheduled", "tail", "ctx", "env"))
NEVER = frozenset(("dup", "constructor", "dispose"))


class RpcTarget:
    """An object that goes as a stub: its methods are called where it is. Where it
    has dispose(), that is called when nobody holds it any more."""


# ---- the other side

def failure(payload):
    """The exception that an error record stands for."""
    r = codec.Reader(payload)
    name, _, message, stack = r.str(), r.str(), r.str(), r.str()
    error = value.exception(name, message, stack)
    return error


async def settled(number, payload):
    """What an operation answers."""
    future = worker_loop.worker.create_future()

    def done(ok, payload):
        if future.done():
            return
        if ok:
            future.set_result(payload)
        else:
            future.set_exception(failure(payload))

    ident = net_operations.start(number, payload, done)
    try:
        return await future
    except BaseException:
        net_operations.cancel(ident)
        raise


class Handle:
    """A hold of something at the host: it is given up with the last who has it."""

    __slots__ = ("number", "permanent", "__weakref__")

    def __init__(self, number, permanent=False):
        self.number, self.permanent = number, permanent

    def get(self):
        if self.number == 0:
            raise RuntimeError("RPC stub used after being disposed.")
        return self.number

    def close(self):
        number, self.number = self.number, 0
        if number and not self.permanent:
            host.call(op.STUB_RELEASE, _u32(number))

    def __del__(self):
        try:
            self.close()
        except Exception:
            pass  # the host drops it with the event


class Callable:
    """What can be called, and has properties that can."""

    __slots__ = ()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Property(self, (name,))

    def __getitem__(self, name):
        return Property(self, (str(name),))

    def __call__(self, *args, **named):
        return self._begin((), CALL, args, named)

    def _begin(self, path, kind, args=(), named=None):
        raise NotImplementedError


class Stub(Callable):
    """A stub of an object elsewhere: await stub.method(…), await stub(…) if it is a
    function, await stub.property. with stub: gives it up at the end; so does
    dispose()."""

    __slots__ = ("_handle",)

    def __init__(self, handle):
        self._handle = handle

    def _begin(self, path, kind, args=(), named=None):
        if len(path) > MAX_PATH:
            raise ValueError(f"An RPC path may have at most {MAX_PATH} properties.")
        arguments = list(args)
        if named:
            arguments.append(value.Object(named))
        if kind == GET:
            message = None
        else:
            message = writing(lambda: value.write(arguments))
        return Promise(self._perform(path, kind, message))

    async def _perform(self, path, kind, message):
        w = codec.Writer().u32(self._handle.get()).u8(kind).u32(len(path))
        for name in path:
            w.str(name)
        return value_decoder.read(await settled(op.STUB_CALL, w.done() + (NOTHING if message is None else message)), 0)

    def dup(self):
        return type(self)(self._handle)

    def dispose(self):
        self._handle.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.dispose()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.dispose()

    def __repr__(self):
        return f"<{type(self).__name__}>"


class Service(Stub):
    """An entrypoint of a worker: fetch, and its methods."""

    __slots__ = ()

    async def fetch(self, resource, init=None, **options):
        from . import web

        return await web.fetch_via(op.STUB_FETCH, _u32(self._handle.get()), resource, init, options)


class Bound(Service):
    """A service of env, which stays, as its handle does."""

    __slots__ = ()

    def dispose(self):
        pass


class Loopback(Service):
    """An entrypoint of the worker itself; called with props=… it is one with those."""

    __slots__ = ("_name",)

    def __init__(self, name):
        self._name = name
        self._handle = Handle(self._open(None))

    def _open(self, props):
        message = NOTHING if props is None else writing(lambda: value.write(value.objects(props)))
        name = "" if self._name in ("default", "Default") else self._name
        return int.from_bytes(host.call(op.LOOPBACK, codec.Writer().str(name).done() + message)[:4], "little")

    def __call__(self, options=None, *, props=None):
        if options is not None:
            props = options.get("props")
        return Service(Handle(self._open(props)))


class Property(Callable):
    """A property of a stub: it is got when it is awaited."""

    __slots__ = ("_of", "_path")

    def __init__(self, of, path):
        self._of, self._path = of, path

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Property(self._of, (*self._path, name))

    def __getitem__(self, name):
        return Property(self._of, (*self._path, str(name)))

    def _begin(self, path, kind, args=(), named=None):
        return self._of._begin((*self._path, *path), kind, args, named)

    def __await__(self):
        return self._of._begin(self._path, GET).__await__()

    def __repr__(self):
        return f"<RpcProperty {'.'.join(self._path)}>"


class Promise(Callable):
    """The result of a call: awaitable, and a stub of it meanwhile. wait() blocks."""

    __slots__ = ("_future",)

    def __init__(self, coroutine):
        from asyncio import tasks

        if worker_loop.worker is None or current.get() is None:
            coroutine.close()
            raise RuntimeError(host.GLOBAL_SCOPE)
        with worker_loop.inside():
            self._future = tasks.Task(coroutine, loop=worker_loop.worker, eager_start=True)
        self._future.add_done_callback(looked_at)

    def __await__(self):
        return self._future.__await__()

    def wait(self):
        return worker_loop.worker.run_until_complete(self._future)

    def _begin(self, path, kind, args=(), named=None):
        return Promise(self._continue(path, kind, args, named))

    async def _continue(self, path, kind, args, named):
        return await begin_on(await self._future, path, kind, args, named)

    def dispose(self):
        if self._future.done() and not self._future.cancelled() and self._future.exception() is None:
            dispose(self._future.result())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.dispose()

    def __repr__(self):
        return "<RpcPromise>"


def looked_at(future):
    """Has an error of a call that nobody awaits be nobody's."""
    if not future.cancelled():
        future.exception()


async def begin_on(o, path, kind, args, named):
    """Calls something of a result: what is no stub is looked through here."""
    for i, name in enumerate(path):
        if isinstance(o, Callable):
            return await o._begin(path[i:], kind, args, named)
        if not isinstance(o, dict) or name not in o:
            raise not_implemented(name)
        o = o[name]
    if kind == GET:
        return o
    if not isinstance(o, Callable):
        raise TypeError(f'"{".".join(path) or "(this)"}" is not a function.')
    return await o._begin((), kind, args, named)


def dispose(o):
    """Gives up the stubs in a result."""
    if isinstance(o, Stub):
        o.dispose()
    elif isinstance(o, dict):
        for v in o.values():
            dispose(v)
    elif isinstance(o, (list, set, tuple)):
        for v in o:
            dispose(v)


KEPT = (Stub,)  # awaitable by their class, perhaps, but results themselves


# ---- what others call here

exported = {}  # number: (object, event)
_last = 0


def export(o):
    """Lets others hold an object, under a number that is never used again."""
    global _last
    event = current.get()
    if event is None:
        raise RuntimeError(host.GLOBAL_SCOPE)
    _last += 1
    exported[_last] = o, event
    event.wait()
    return _last


def release(number):
    """Forgets an object that nobody holds any more: the event that gave it out."""
    entry = exported.pop(number, None)
    if entry is None:
        return None
    o, event = entry
    if isinstance(o, RpcTarget) and callable(getattr(o, "dispose", None)):
        event.wait_until(disposal(o))
    return event


async def disposal(o):
    result = o.dispose()
    if inspect.isawaitable(result):
        await result


def forget(event):
    """Forgets what an event has given out."""
    for number in [number for number, (_, owner) in exported.items() if owner is event]:
        del exported[number]


def exported_object(number):
    entry = exported.get(number)
    if entry is None:
        raise RuntimeError("RPC stub used after being disposed.")
    return entry[0]


def not_implemented(name):
    return TypeError(f'The RPC receiver does not implement the method "{name}".')


def member(o, name, entrypoint):
    """A member that others may see: of a target what its class defines and has no
    underscore before it, of plain data what it has."""
    if name in NEVER or entrypoint and name in RESERVED:
        raise TypeError(f"'{name}' is a reserved method and cannot be called over RPC.")
    if isinstance(o, dict):
        if name not in o:
            raise not_implemented(name)
        return o[name]
    if name.startswith("_"):
        raise not_implemented(name)
    if entrypoint or isinstance(o, RpcTarget):
        if not any(name in vars(kind) for kind in type(o).__mro__ if kind is not RpcTarget and kind is not object and kind.__module__ != ENTRYPOINT_MODULE):
            raise not_implemented(name)
        return getattr(o, name)
    raise not_implemented(name)


ENTRYPOINT_MODULE = __package__ + ".worker"


def invoke(o, path, kind, arguments, entrypoint):
    """Calls a method of a target, or gets a property: the value, or an awaitable."""
    if o is None:
        raise not_implemented(path[0] if path else "(this)")
    for i, name in enumerate(path):
        if isinstance(o, Callable):
            return o._begin(tuple(path[i:]), kind, arguments or ())
        o = member(o, name, entrypoint)
        entrypoint = False
    if kind == GET:
        return o
    if not callable(o):
        raise TypeError(f'"{".".join(path) or "(this)"}" is not a function.')
    return o(*arguments)


def read_arguments(r):
    arguments, r.at = value_decoder.read_next(r.data, r.at)
    if arguments is None:
        return []
    if type(arguments) is not list:
        raise TypeError("the arguments of a call are an array")
    return arguments


def skip(r):
    """Passes over a value: whether there is one."""
    size, = unpack_from("<I", r.data, r.at)
    count, = unpack_from("<I", r.data, r.at + 4 + size)
    r.at += 8 + size + 5 * count
    return size != 0 or count != 0


# ---- values

_given = None  # what is to be done with the message under way: (when sent, when not)


def writing(run):
    """Has run() write a message: what it gives out is taken back if that fails,
    and begun else."""
    global _given
    outer, _given = _given, []
    try:
        message = run()
        given = _given
    except BaseException:
        given, _given = _given, outer
        for _, undo in given:
            if undo is not None:
                undo()
        raise
    _given = outer
    for commit, _ in given:
        if commit is not None:
            commit()
    return message


def take_back(number):
    event = release(number)
    if event is not None:
        event.done()


def write_export(e, o, depth):
    if e.again(o):
        return
    number = export(o)
    _given.append((None, lambda: take_back(number)))
    e.object(0xC0, STUB)
    e.head(0, e.capability(TARGET, number))


def write_stub(e, o, depth):
    if e.again(o):
        return
    e.object(0xC0, SERVICE if isinstance(o, Service) else STUB)
    e.head(0, e.capability(HELD, o._handle.get()))


def write_lazy(e, o, depth):
    raise value.refused(o)


def write_binding(e, o, depth):
    if e.again(o):
        return
    e.object(0xC0, BINDING)
    e.head(0, e.capability(BINDING_KIND, o._reference.handle()))


def write_coroutine(e, o, depth):
    raise TypeError("Could not serialize a coroutine: await it first.")


value.writers.update({
    RpcTarget: write_export, Stub: write_stub, Service: write_stub, Bound: write_stub, Loopback: write_stub,
    Property: write_lazy, Promise: write_lazy, "callable": write_export,
    binding_kv.KVNamespace: write_binding, binding_r2.R2Bucket: write_binding, binding_web.Fetcher: write_binding, binding_web.Assets: write_binding,
    binding.Later: lambda e, o, depth: e.value(o.wait(), depth),
})


def capability(content, d):
    if type(content) is not int or content < 0:
        raise value_decoder.Malformed("a capability is known by its place")
    return d.capabilities[content]


def read_stub(content, d):
    return Stub(Handle(capability(content, d)[1], d.permanent))


def read_service(content, d):
    return (Bound if d.permanent else Service)(Handle(capability(content, d)[1], d.permanent))


class Numbered(binding.Reference):
    """A binding that was passed on: it is known by its number."""

    def __init__(self, name, kind, number):
        super().__init__(name, kind)
        self.number = number

    def handle(self):
        return self.number


def read_binding(content, d):
    number = capability(content, d)[1]
    r = codec.Reader(host.call(op.BINDINGS))
    for _ in range(r.u32()):
        name, kind, handle, data = r.str(), r.str(), r.u32(), r.bytes()
        if handle == number and kind != "service":
            return binding.makers[kind](Numbered(name, kind, number), data.decode())
    raise TypeError("the binding is not there any more")


value_decoder.readers.update({STUB: read_stub, SERVICE: read_service, BINDING: read_binding})


def make_service(reference, data):
    handle = reference.handle()
    return Bound(Handle(handle, True))


binding.makers["service"] = make_service


# ---- env

_environment = None  # of a dynamic worker: a value
_known = False


def environment():
    """The env of a dynamic worker, or None."""
    global _environment, _known
    if not _known:
        answer = host.call(op.ENVIRONMENT)
        _known = True
        if answer[0]:
            given = value_decoder.read(answer, 1, True)
            _environment = given if isinstance(given, dict) else value.Object()
    return _environment


class Env(binding.Env):
    """The env of a worker: what a dynamic one was given, or the bindings, and
    where none has the name the variables. env.NAME or env["NAME"]."""

    def __getitem__(self, name):
        given = environment()
        if given is None:
            return super().__getitem__(name)
        return given[name]

    def __contains__(self, name):
        given = environment()
        return super().__contains__(name) if given is None else name in given

    def __iter__(self):
        given = environment()
        return super().__iter__() if given is None else iter(given)

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            if name.startswith("__"):
                raise AttributeError(name) from None
            raise AttributeError(f"env has no {name}: there are {', '.join(self) or 'no bindings'}") from None


env = Env()
