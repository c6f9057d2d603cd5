"""A worker: the entrypoints of its main module, and the events that they handle.

Several events may be under way; each is known to the host by its number, and is
over when it was answered and nothing that it began matters any more.
"""

import _signal
import asyncio
import builtins
import collections
import contextvars
import gc
import importlib.util
import inspect
import json
import linecache
import os
import sys
from asyncio import tasks
from struct import Struct
from types import ModuleType

from . import codec, errors, host, loop, net_operations, op, stdio, stub, value, value_decoder, web, worker_loader, worker_loop
from . import web_value  # has what is of the web go as values
from .worker_loop import current

FOLDER = "/session/metadata"  # where the host puts the modules
PACKAGES = ("python_modules", "vendor")  # folders of packages in it

FETCH, CALL, SCHEDULED, TAIL, ABORT, RELEASE, END = range(1, 8)
HANDLER, UNCAUGHT, REJECTION = range(3)  # origins of failures
HUNG = ("The Workers runtime canceled this request because it detected that your Worker's code had hung "
        "and would never generate a response.")

_u32 = Struct("<I").pack
_head = Struct("<IBI").unpack_from

under_way = {}  # events by number
blank = contextvars.Context()  # what events begin with: what the modules have set
main = None  # the main module
source = ""  # its file
entrypoints = {}  # classes by name
legacy = {}  # functions of the module: on_fetch, on_scheduled, on_tail


class WorkerEntrypoint:
    """What the entrypoints of a worker extend: class Default(WorkerEntrypoint) is
    the default one."""

    def __init__(self, ctx, env):
        self.ctx, self.env = ctx, env


def handler(function):
    """Marks a handler of a module; it changes nothing."""
    return function


# ---- evaluating


def serve(message, at):
    """Evaluates the main module."""
    global main, source, blank
    r = codec.Reader(message, at)
    r.u8()
    name = r.str()
    for _ in range(r.u32()):
        variable = r.str()
        os.environ[variable] = r.str()
    os.chdir(FOLDER)
    source = os.path.join(FOLDER, name)
    folders = [os.path.dirname(source), FOLDER, *(os.path.join(FOLDER, folder) for folder in PACKAGES)]
    sys.path[:0] = [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]
    sys.dont_write_bytecode = True
    sys.argv[:] = [source]
    provide()
    worker_loop.begin()
    listen()
    _signal.signal(_signal.SIGINT, interrupt)
    host.evaluating = True
    try:
        with Ban():
            main = evaluate(name)
    finally:
        host.evaluating = False
    find_entrypoints()
    blank = contextvars.copy_context()
    stdio.flush()
    linecache.clearcache()
    gc.collect()
    gc.freeze()


def listen():
    """Has the loop tell of what arrives."""
    worker_loop.deliver, worker_loop.failed, worker_loop.over, worker_loop.resume = dispatch, uncaught, has_ended, go_on


def has_ended(event):
    return under_way.get(event.id) is not event


def evaluate(name):
    module_name = os.path.basename(name).removesuffix(".py")
    spec = importlib.util.spec_from_file_location(module_name, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    return module


class Ban:
    """Has what would be random say that it can't be, while modules are evaluated."""

    def __enter__(self):
        import random

        def refuse(size):
            raise RuntimeError(host.GLOBAL_SCOPE)

        self.random, self.before = random, os.urandom
        os.urandom = random._urandom = refuse

    def __exit__(self, *error):
        os.urandom = self.random._urandom = self.before


def provide():
    """Gives programs the modules that workers import."""
    from . import asgi, javascript

    workers = ModuleType("workers", "What Workers in Python import.")
    workers.__dict__.update(web.NAMES, WorkerEntrypoint=WorkerEntrypoint, handler=handler, env=stub.env, waitUntil=wait_until, wait_until=wait_until,
                            fetch=web.fetch, Context=Context, RpcTarget=stub.RpcTarget, RpcStub=stub.Stub, import_from_javascript=javascript.import_module,
                            python_to_rpc=lambda o: o, python_from_rpc=lambda o: o)
    workers.__dict__.update({name: getattr(stub.binding, name) for name in ("BindingError", "R2Error", "KVError")})
    builtins.fetch, builtins.env = web.fetch, stub.env
    sys.modules["workers"] = workers
    sys.modules["asgi"] = asgi
    javascript.install()


def find_entrypoints():
    entrypoints.clear()
    legacy.clear()
    for name, member in vars(main).items():
        if isinstance(member, type) and issubclass(member, WorkerEntrypoint) and member is not WorkerEntrypoint:
            entrypoints[name] = member
        elif name in ("on_fetch", "on_scheduled", "on_tail") and callable(member):
            legacy[name[3:]] = member
    if legacy and "Default" in entrypoints:
        raise TypeError("Cannot define multiple default entrypoints")


# ---- the life of an event


class Event:
    """waits counts what keeps it from being over: its answer, what waitUntil waits
    for, a body that is being written, exports that are held."""

    __slots__ = ("id", "waits", "after", "answered", "task", "props", "context", "signal", "entrypoint")

    def __init__(self, id):
        self.id, self.waits, self.after, self.answered = id, 1, 0, False
        self.task = self.props = self.context = self.signal = None

    def wait(self):
        self.waits += 1

    def done(self):
        self.waits -= 1
        if self.waits == 0 and under_way.get(self.id) is self:
            if cancel_tasks(self):
                worker_loop.worker.call_soon(self.over)  # after what they do about it
            else:
                self.over()

    def over(self):
        if under_way.pop(self.id, None) is self:
            stdio.flush()
            host.call(op.EVENT_DONE, _u32(self.id))

    def answer(self):
        """Notes that it has its answer."""
        if not self.answered:
            self.answered = True
            self.done()

    def fail(self, error):
        if not self.answered:
            report(self.id, HANDLER, error)
            self.answer()

    def wait_until(self, awaitable):
        future = as_future(awaitable)
        self.waits += 1
        self.after += 1

        def settled(future):
            self.after -= 1
            if not future.cancelled() and future.exception() is not None:
                report(self.id, REJECTION, future.exception())
            self.done()

        future.add_done_callback(settled)


def as_future(awaitable):
    if asyncio.isfuture(awaitable):
        return awaitable
    if inspect.iscoroutine(awaitable):
        return tasks.Task(awaitable, loop=worker_loop.worker)
    if hasattr(awaitable, "__await__"):
        async def wait():
            return await awaitable
        return tasks.Task(wait(), loop=worker_loop.worker)
    future = worker_loop.worker.create_future()
    future.set_result(awaitable)
    return future


def wait_until(awaitable):
    """Has the event under way go on until something has settled."""
    event = current.get()
    if event is None:
        raise RuntimeError(host.GLOBAL_SCOPE)
    event.wait_until(awaitable)


def keep_going(coroutine):
    """Runs something that the event under way is not over before."""
    event = current.get()
    if event is None:
        coroutine.close()
        raise RuntimeError(host.GLOBAL_SCOPE)
    event.wait()
    task = tasks.Task(coroutine, loop=worker_loop.worker, eager_start=True)
    task.add_done_callback(lambda task: event.done())


def cancel_tasks(event, but=None):
    """Cancels what an event has left running."""
    cancelled = False
    for task in asyncio.all_tasks(worker_loop.worker):
        if task is not but and task.get_context().get(current) is event and task is not asyncio.current_task(worker_loop.worker):
            task._log_destroy_pending = False
            task.cancel()
            cancelled = True
    return cancelled


def report(id, origin, error):
    stdio.flush()
    host.call(op.EVENT_FAIL, _u32(id) + bytes((origin,)) + errors.record(error, source))


def uncaught(error):
    """An exception of a task that nobody looked at."""
    report(0, REJECTION, error)


# ---- deliveries


held = collections.deque()  # what was delivered of events that wait for room on the stack


def begins(kind, message, at):
    """Whether a delivery is of an event that nothing here can wait for: a call of
    what an event has passed on is one that it may."""
    return kind == FETCH or kind in (SCHEDULED, TAIL) or kind == CALL and message[at] != 1


def crowded(share):
    """Whether code that blocks takes more than a share of the stack: each event that
    arrives is handled inside of what blocks."""
    if worker_loop.depth == 0:
        return False
    frame, left = sys._getframe(), sys.getrecursionlimit() // share
    while frame is not None and left:
        frame = frame.f_back
        left -= 1
    return frame is not None


def go_on():
    """Handles what was held, where there is room again."""
    while held and not crowded(4):
        message, at = held.popleft()
        worker_loop.go_on_as(_head(message, at)[0])
        dispatch(message, at, True)
        worker_loop.pump()


def dispatch(message, at, again=False):
    """Handles the delivery of an event."""
    id, kind, size = _head(message, at)
    at += 9
    if not again and (held or worker_loop.depth):
        if begins(kind, message, at) and (held or crowded(2)):
            held.append((message, at - 9))
            return
        if kind == END:
            for x in [x for x in held if _head(*x)[0] == id]:
                held.remove(x)
        elif kind == ABORT and any(_head(*x)[0] == id for x in held):
            held.append((message, at - 9))
            return
    worker_loop.turn = id
    if kind == ABORT:
        abort(id, codec.Reader(message, at).str())
    elif kind == RELEASE:
        event = stub.release(codec.Reader(message, at).u32())
        if event is not None:
            event.done()
    elif kind == END:
        event = under_way.pop(id, None)
        if event is not None:
            stub.forget(event)
            cancel_tasks(event)
    else:
        event = under_way[id] = Event(id)
        context = blank.copy()
        context.run(current.set, event)
        try:
            with worker_loop.inside():
                event.task = tasks.Task(handle(event, kind, codec.Reader(message, at)), loop=worker_loop.worker, context=context, eager_start=True)
        except (KeyboardInterrupt, SystemExit):
            pass  # the event has it


async def handle(event, kind, r):
    try:
        await HANDLERS[kind](event, r)
    except asyncio.CancelledError as error:
        event.fail(error)  # unless nobody waits any more
    except BaseException as error:
        if interrupted and isinstance(error, KeyboardInterrupt):
            under_way.pop(event.id, None)  # the host ends it
        else:
            event.fail(error)
        if not isinstance(error, Exception):
            raise


interrupted = False  # the host asks for the end of what runs


def interrupt(number, frame):
    """The handler of interrupts: an event has used up its processor time."""
    global interrupted
    interrupted = True
    raise KeyboardInterrupt


def abort(id, reason):
    """Nobody waits for the answer: what waitUntil waits for may go on."""
    event = under_way.get(id)
    if event is None:
        return
    if event.signal is not None:
        event.signal.abort(reason)
    if not event.answered and event.after == 0:
        event.answered = True
        event.waits = 1
        event.done()


def rest():
    """Ends a turn. Where nothing is under way, nothing will ever answer what still
    waits."""
    global interrupted
    worker_loop.pump()
    if held:
        go_on()
    interrupted = False
    if under_way and not loop.pending and not net_operations.pending() and not stub.exported:
        for event in list(under_way.values()):
            if not event.answered:
                event.fail(RuntimeError(HUNG))
            else:
                event.waits = 1
                event.done()
        worker_loop.pump()


# ---- entrypoints


class Context:
    """The context of an event: self.ctx."""

    def __init__(self, event):
        self._event = event

    def wait_until(self, awaitable):
        self._event.wait_until(awaitable)

    def pass_through_on_exception(self):
        pass  # there is no origin behind a worker here

    waitUntil, passThroughOnException = wait_until, pass_through_on_exception

    @property
    def props(self):
        event = self._event
        if type(event.props) is tuple:
            event.props = value_decoder.read(*event.props)
        return value.Object() if event.props is None else event.props

    @property
    def exports(self):
        return exports

    def __repr__(self):
        return "<ExecutionContext>"


class Exports:
    """ctx.exports: entrypoints of the worker itself, also with props."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return stub.Loopback(name)

    __getitem__ = __getattr__


exports = Exports()


def context_of(event):
    if event.context is None:
        event.context = Context(event)
    return event.context


def receiver(event):
    """The entrypoint's object, made for this event; None if the module's functions
    are the default one."""
    name = event.entrypoint
    if name in ("", "default"):
        kind = entrypoints.get("Default")
        if kind is None:
            if legacy:
                return None
            raise TypeError("Worker has no default entrypoint.")
    else:
        kind = entrypoints.get(name)
        if kind is None:
            raise TypeError(f"Worker has no such entrypoint: {name}")
    return kind(context_of(event), stub.env)


DEFAULT = bytes(12)  # the default entrypoint, without props


def read_entrypoint(event, r):
    if r.data.startswith(DEFAULT, r.at):
        event.entrypoint = ""
        r.at += 12
        return
    event.entrypoint = r.str()
    at = r.at
    if stub.skip(r):
        event.props = (r.data, at)


_positions = {}  # how many arguments functions take


def positions(function):
    """How many positional arguments a function takes, at most three."""
    key = getattr(function, "__func__", function)
    count = _positions.get(key)
    if count is None:
        count = 0
        try:
            for p in inspect.signature(function).parameters.values():
                if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
                    count += 1
                elif p.kind == p.VAR_POSITIONAL:
                    count = 3
        except (TypeError, ValueError):
            count = 3
        count = _positions[key] = min(count, 3)
    return count


def call_handler(event, name, argument):
    """What a handler gives, which may have to be awaited."""
    target = receiver(event)
    if target is None:
        method = legacy.get(name)
    else:
        method = getattr(target, name, None) or getattr(target, "on_" + name, None)
    if not callable(method):
        raise TypeError(f"Handler does not export a {name}() function.")
    count = positions(method)
    if count == 1:
        return method(argument)
    return method(*(argument, stub.env, context_of(event))[:count])


async def handle_fetch(event, r):
    read_entrypoint(event, r)
    request = web.Request._received(r.data, r.at, event)
    if "Default" not in entrypoints and event.entrypoint == "":
        request._plain = False  # what its json() gives has attributes, too
    answer = call_handler(event, "fetch", request)
    if hasattr(answer, "__await__"):
        answer = await answer
    response = web.as_response(answer)
    if event.answered:
        return  # nobody waits any more
    pump = web.respond(event.id, response)
    if pump is not None:
        event.wait()
        task = tasks.Task(pump, loop=worker_loop.worker)
        task.add_done_callback(lambda task: streamed(event, task))
    event.answer()


def streamed(event, task):
    if not task.cancelled() and task.exception() is not None:
        report(event.id, UNCAUGHT, task.exception())
    event.done()


async def handle_call(event, r):
    exported = r.u8() == 1
    read_entrypoint(event, r)
    number, kind = r.u32(), r.u8()
    path = [r.str() for _ in range(r.u32())]
    arguments = None if kind == stub.GET else stub.read_arguments(r)
    if exported:
        target, entry = stub.exported_object(number), False
    else:
        target, entry = receiver(event), True
    result = stub.invoke(target, path, kind, arguments, entry)
    if hasattr(result, "__await__") and not isinstance(result, stub.KEPT):
        result = await result
    message = stub.writing(lambda: value.write(result, True))
    host.call(op.ANSWER, _u32(event.id) + message)
    event.answer()


class ScheduledController(value.Object):
    def noRetry(self):
        pass


async def handle_scheduled(event, r):
    read_entrypoint(event, r)
    time, cron = r.f64(), r.str()
    await simple(event, "scheduled", ScheduledController(scheduledTime=time, scheduled_time=time, cron=cron, type="scheduled"))


async def handle_tail(event, r):
    read_entrypoint(event, r)
    await simple(event, "tail", json.loads(r.bytes(), object_hook=value.Object))


async def simple(event, name, argument):
    result = call_handler(event, name, argument)
    if hasattr(result, "__await__"):
        await result
    host.call(op.ANSWER, _u32(event.id) + bytes(8))
    event.answer()


HANDLERS = {FETCH: handle_fetch, CALL: handle_call, SCHEDULED: handle_scheduled, TAIL: handle_tail}


# ---- the image


def rehearse(entry):
    """Serves requests while the image is made, so that what answers them has run:
    isolates then change less of it."""
    global main
    calls, host.call = host.call, lambda number, payload=b"": bytes(16)
    passing, worker_loop.door = worker_loop.door, bool
    try:
        main = ModuleType("main")
        exec(REHEARSAL, main.__dict__)
        main.Default = type("Default", (WorkerEntrypoint,), {"fetch": main.fetch, "add": main.add})
        main.Response = web.Response
        worker_loop.begin()
        listen()
        find_entrypoints()
        w = codec.Writer().str("").bytes(b"").u32(0).str("GET").str("http://worker.localhost/path").u32(2)
        w.str("accept").str("*/*").str("host").str("worker.localhost").bytes(b"{}").u8(0).bytes(b"").u32(0)
        fetched = w.done()
        w = codec.Writer().u8(0).str("").bytes(b"").u32(0).u32(0).u8(0).u32(1).str("add")
        called = w.done() + value.write([1, 2.5, "text", {"a": [None, True]}, value.Object(b=b"bytes")])
        for i in range(REHEARSALS):
            for kind, message in ((FETCH, fetched), (CALL, called)):
                entry.serve(op.EVENT_DISPATCH, bytes(5) + codec.Writer().u32(2 * i + kind).u8(kind).bytes(message).done())
        if under_way:
            raise RuntimeError("a rehearsed event is not over")
    finally:
        host.call, worker_loop.door = calls, passing
        main = None
        entrypoints.clear()
        _positions.clear()
        worker_loop.worker = loop._loop = loop.serving = host.serving = None
        worker_loop.deliver = worker_loop.failed = worker_loop.over = worker_loop.resume = None


REHEARSALS = 40
REHEARSAL = """
async def fetch(self, request):
    return Response(request.method + request.headers.get("accept"))

def add(self, a, b, c, d, e):
    return {"a": a, "b": [b, c, d, e]}
"""
