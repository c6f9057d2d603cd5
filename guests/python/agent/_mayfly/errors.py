"""Exceptions as error records of the host, with the program's own frames only."""

import errno
import re
import traceback
from struct import pack
from types import TracebackType

# Code of these files is not the program's: ours, and the runner that the
# interpreter came with.
OURS = (__file__.rpartition("/")[0] + "/", "<reactor>", "<turn ")

MAX_CAUSES = 8
MAX_TEXT = 256 << 10  # characters of a message, and of a traceback

# Stands for frames that were left out, until the text is made.
MISSING = "<missing>"
MISSING_LINE = '  File "<missing>", line (\\d+), in '

MEMORY_CODE = "ERR_OUT_OF_MEMORY"

_type_name = type.__dict__["__name__"].__get__


def type_name(kind):
    """The name of a class, whatever its metaclass says."""
    return _type_name(kind)


foreign = ()  # classes of exceptions that stand for errors of another name


def name_of(error):
    """The name of an error."""
    if isinstance(error, foreign) and type(error.name) is str:
        return error.name
    return type_name(type(error))


def text_of(error):
    """str(error), or why there is none."""
    try:
        text = str(error)
    except Exception:
        return f"<str() of {type_name(type(error))} failed>"
    return clip(text)


def clip(text):
    if len(text) <= MAX_TEXT:
        return text
    return text[:MAX_TEXT // 2] + "\n[...]\n" + text[-MAX_TEXT // 2:]


def code_of(error):
    """A stable word for the error, or nothing."""
    if isinstance(error, MemoryError):
        return MEMORY_CODE
    if isinstance(error, OSError):
        code = error.errno
        if type(code) is int:
            return errno.errorcode.get(code, "")
    return ""


def ours(filename):
    return filename.startswith(OURS)


def own_frames(trace, name):
    """Where a traceback enters the program: in the file name, if it does."""
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename != name:
        first = first.tb_next
    if first is not None:
        return first
    while trace is not None and ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def cut(trace):
    """A traceback without its middle, if it is long, and how much is missing."""
    frames = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    missing = len(frames) - 2 * HALF
    if missing < HALF:
        return (frames[0] if frames else None), 0
    trace = frames[HALF + missing]
    for one in reversed(frames[:HALF]):
        trace = TracebackType(trace, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return trace, missing


HALF = 40  # frames of a long traceback's beginning, and of its end


def summary(error, name):
    """The TracebackException of an error that the program name raised."""
    trace, missing = cut(own_frames(error.__traceback__, name))
    made = traceback.TracebackException(type(error), error, trace, compact=True)
    if missing:
        made.stack.insert(HALF, traceback.FrameSummary(MISSING, missing, "", lookup_line=False, line=""))
    seen = set()
    todo = [made]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if one.stack:
            one.stack[:] = [frame for frame in one.stack if not ours(frame.filename)]
        todo.append(one.__cause__)
        todo.append(one.__context__)
        if one.exceptions:
            todo.extend(one.exceptions)
    return made


def install():
    """Has warnings that arise while our code runs, as of coroutines that nobody
    awaited, not name its lines."""
    import _py_warnings
    import warnings

    original = _py_warnings._formatwarnmsg_impl

    def text(message):
        if ours(message.filename):
            return f"{message.category.__name__}: {message.message}\n"
        return original(message)

    _py_warnings._formatwarnmsg_impl = warnings._formatwarnmsg_impl = text


def chained(error):
    """The exception that one came from, as tracebacks have it."""
    if error.__cause__ is not None:
        return error.__cause__
    if error.__suppress_context__:
        return None
    return error.__context__


def record(error, name):
    """The error record of an exception that nobody caught, with its causes."""
    made = summary(error, name)
    parts = []
    seen = set()
    chain = True
    while True:
        seen.add(id(error))
        stack = clip("".join(made.format(chain=chain)).removesuffix("\n"))
        if MISSING in stack:
            stack = re.sub(MISSING_LINE, r"  [\1 more frames]", stack)
        parts.append(strings(name_of(error), code_of(error), text_of(error), stack))
        next_error = chained(error)
        next_made = made.__cause__ or made.__context__
        if next_error is None or next_made is None or id(next_error) in seen or len(seen) > MAX_CAUSES:
            parts.append(b"\0")
            return b"".join(parts)
        parts.append(b"\1")
        error, made, chain = next_error, next_made, False


def plain_record(error):
    """An error record for which little can go wrong: without a traceback."""
    kind = type(error)
    code = MEMORY_CODE if issubclass(kind, MemoryError) else ""
    name = type_name(kind)
    try:
        message = error.args[0] if len(error.args) == 1 and type(error.args[0]) is str else ""
    except BaseException:
        message = ""
    return strings(name, code, message[:4096], name) + b"\0"


def strings(*values):
    """The message encoding of strings."""
    parts = []
    for value in values:
        data = value.encode("utf-8", "backslashreplace")
        parts.append(pack("<I", len(data)))
        parts.append(data)
    return b"".join(parts)
