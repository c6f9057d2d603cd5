"""What a turn of the host runs: it fetches the event, runs the program, and
answers, exactly once."""

import _signal
import gc
import io
import os
import sys
from struct import pack, unpack_from

from _host import call as door

from . import net

net.install()  # before anything imports socket

from . import binding, cell, display, errors, fresh, host, loop, net_operations, memory, op, platform, stdio

RUN, CELL, SERVE, DISPATCH = op.EVENT_RUN, op.EVENT_CELL, op.EVENT_SERVE, op.EVENT_DISPATCH
SETTLED = 0xFFFFFFFF  # u32 id, u8 ok, and its message: an operation of a worker

FETCH = b"\3"  # the frame that fetches the event
EVENT = FETCH  # boot adds what the host is told of memory
PACKAGES = "/opt/site-packages"  # where packages are that were asked for

# Given up when memory runs out, so that this can be said.
RESERVE = [None]
RESERVE_SIZE = 256 << 10


def go():
    """One event, from its start to the answer."""
    kind = name = code = None
    try:
        answer = door(EVENT)
        if answer[0]:
            raise RuntimeError("there is no event to fetch")
        kind, = unpack_from("<I", answer, 1)
        if kind >= SERVE:
            serve(kind, answer)
            return
        if kind != RUN and kind != CELL:
            raise NotImplementedError(f"Python has no event {kind}")
        source, name = begin(answer, kind == RUN)
        namespace = cell.begin(kind == RUN)
        if kind == RUN:
            namespace["__file__"] = os.path.join(os.getcwd(), name)
        cell.keep_source(name, source)
        cell.show(cell.evaluate(source, name, namespace), namespace)
        if kind == RUN:
            end(namespace)
        stdio.flush()
        return
    except BaseException as error:
        try:
            code = failed(error, name, kind)
        except BaseException:
            last_resort(error)
    if code is not None:
        host.call(op.EXIT, pack("<I", code))


def serve(kind, message):
    """A turn of a worker."""
    global worker
    if worker is None:
        from . import worker
    try:
        if kind == SERVE:
            try:
                worker.serve(message, 5)
            except BaseException as error:
                RESERVE[0] = None
                stdio.flush()
                if worker.interrupted and isinstance(error, KeyboardInterrupt):
                    return  # the host knows why
                host.call(op.FAIL, b"\0" + errors.record(error, worker.source))
            return
        if kind == DISPATCH:
            worker.dispatch(message, 5)
        elif kind == SETTLED:
            worker.worker_loop.turn = 0
            worker.worker_loop.take(int.from_bytes(message[5:9], "little"), message[9] == 1, message[10:])
        worker.rest()
    except BaseException as error:
        RESERVE[0] = None
        host.call(op.EVENT_FAIL, b"\0\0\0\0\0" + errors.record(error, worker.source))


worker = None  # the module, once there is a worker


def begin(message, run):
    """Takes a message apart and makes its surroundings: seeds, arguments,
    environment, working directory. It gives the source and its name."""
    at = 7  # status, event, flags, kind
    strings = []
    for _ in range(3):
        n, = unpack_from("<I", message, at)
        strings.append(message[at + 4:at + 4 + n])
        at += 4 + n
    name, source, given = strings
    n, = unpack_from("<I", message, at)
    args = []
    at += 4
    for _ in range(n):
        n, = unpack_from("<I", message, at)
        args.append(message[at + 4:at + 4 + n].decode("utf-8", "surrogateescape"))
        at += 4 + n
    count, = unpack_from("<I", message, at)
    at += 4
    env = []
    for _ in range(2 * count):
        n, = unpack_from("<I", message, at)
        env.append(message[at + 4:at + 4 + n].decode("utf-8", "surrogateescape"))
        at += 4 + n
    n, = unpack_from("<I", message, at)
    cwd = message[at + 4:at + 4 + n].decode("utf-8", "surrogateescape")

    name = name.decode("utf-8", "surrogateescape")
    first = not cell.state.used
    if first and cwd and cwd != platform.HOME:
        os.chdir(cwd)
    if env:
        for i in range(0, 2 * count, 2):
            os.environ[env[i]] = env[i + 1]
    platform.give(given)
    if first or run:
        folder = os.path.dirname(os.path.join(cwd, name)) if run else cwd
        sys.path.insert(0, folder or "/")
        sys.argv[:] = [name, *args]
    elif args:
        sys.argv[1:] = args
    if PACKAGES not in sys.path and os.path.isdir(PACKAGES):
        sys.path.append(PACKAGES)
    if not first:
        stdio.repair()
        net_operations.forget()
        binding.forget()
    if not run:
        name = cell.next_cell()
    try:
        source = source.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        source = decoded(source)
    return source, name


def decoded(source):
    """A source that is not UTF-8: as its coding cookie says."""
    from tokenize import detect_encoding

    try:
        encoding, _ = detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise SyntaxError(f"the source is not UTF-8: {error}") from None


def end(namespace):
    """The end of a program, as the interpreter has it: exit handlers, then its
    names, so that files are written and finalizers run."""
    loop.finish()
    fresh.exit_handlers()
    release(namespace)
    flush_files()


def release(namespace):
    """Drops the names of a program, its private ones first."""
    names = [name for name in namespace if type(name) is str and name not in KEPT]
    for name in names:
        if name[0:1] == "_":
            namespace[name] = None
    for name in names:
        namespace[name] = None


KEPT = frozenset(cell.fresh_main().__dict__) | {"__file__"}

FILES = frozenset((io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom))


def flush_files():
    """Writes what is left in files that nobody closed. Objects of the image are
    not looked at."""
    objects = gc.get_objects()
    if any(map(FILES.__contains__, map(type, objects))):
        for file in [o for o in objects if type(o) in FILES]:
            try:
                file.flush()
            except (OSError, ValueError):
                pass  # read only, closed, or without room


def failed(error, name, kind):
    """Answers for an exception that nobody caught. It gives the exit code if
    the program is to be left by one."""
    handler = _signal.signal(_signal.SIGINT, ignore)
    try:
        if isinstance(error, MemoryError):
            RESERVE[0] = None
        if isinstance(error, SystemExit):
            code = exit_code(error)
            if kind == RUN:
                leave()
                return code
            if code == 0:
                display.flush()
                stdio.flush()
                return None
        elif kind == RUN:
            hook(error, name)
        record = errors.record(error, name)
        if kind == RUN:
            leave()
        else:
            display.flush()
            stdio.flush()
        host.call(op.FAIL, b"\0" + record)
        return None
    finally:
        if kind == CELL:
            _signal.signal(_signal.SIGINT, handler)
            RESERVE[0] = bytearray(RESERVE_SIZE)


def ignore(number, frame):
    """The handler of interrupts that come when the program is over."""


def exit_code(error):
    """The exit status that a SystemExit means. Its text goes to stderr."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xFF
    stdio.flush()
    try:
        text = str(code)
    except Exception:
        text = ""
    os.write(2, (text + "\n").encode("utf-8", "backslashreplace"))
    return 1


def hook(error, name):
    """Tells the program's own sys.excepthook, if it has one."""
    own = getattr(sys, "excepthook", None)
    if own is None or own is sys.__excepthook__:
        return
    try:
        own(type(error), error, errors.own_frames(error.__traceback__, name))
    except BaseException:
        pass


def leave():
    """Ends a program that failed: what it does at exit, and the figures it has
    open. What goes wrong there comes too late to be its error."""
    for step in (display.flush, loop.finish, fresh.exit_handlers, flush_files):
        try:
            step()
        except BaseException:
            pass
    stdio.flush()


def last_resort(error):
    """Answers when the answer itself has failed."""
    RESERVE[0] = None
    try:
        record = errors.plain_record(error)
    except BaseException:
        record = FALLBACK
    host.call(op.FAIL, b"\0" + record)


FALLBACK = errors.strings("SystemError", "", "the program left the interpreter unable to report its error", "SystemError") + b"\0"


def turn(source, environ):
    """Takes the place of the runner's own: the text of a turn is not looked at,
    nothing is compiled or kept for it. Its globals are the runner's."""
    _mayfly_go()
    return 0, False


def take_over():
    """Has the runner's entry call go, wherever a program has its __main__."""
    global EVENT
    EVENT = FETCH + memory.interrupts() + fresh.generators()
    import _reactor

    _reactor._mayfly_go = go
    _reactor.turn.__code__ = turn.__code__


def boot():
    """Makes the image: imports what is warm, and takes the interpreter over."""
    from . import warm

    warm.boot(sys.modules[__name__])
