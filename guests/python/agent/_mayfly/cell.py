"""Running a program: as a fresh __main__, or as one cell after others."""

import ast
import builtins
import json
import linecache
import sys
from struct import pack
from types import ModuleType

from . import binding, display, errors, host, loop, op

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
PARSE = ast.PyCF_ONLY_AST | AWAIT
COROUTINE = 0x80  # CO_COROUTINE of inspect
FUTURE = 0x1FF0000  # the CO_FUTURE_ flags: from __future__ import holds for the cells that follow

# Sources of cells are kept for tracebacks and inspect.getsource: so many, and
# no more characters in all.
MAX_SOURCES = 256
MAX_SOURCE_SIZE = 4 << 20

PLAIN = frozenset((bool, int, float, str, list, tuple, dict))


def fresh_main():
    """A module __main__ as a program finds it at its start."""
    module = ModuleType("__main__")
    module.__builtins__ = builtins
    return module


class State:
    """What stays from cell to cell."""

    def __init__(self):
        self.main = fresh_main()
        self.used = False
        self.cells = 0
        self.flags = 0
        self.looped = False  # an event loop runs around the code, as in notebooks
        self.sources = {}  # name to length


state = State()


def begin(fresh):
    """The namespace of a program: a new __main__, or the one of all cells."""
    if fresh and state.used:
        state.main = fresh_main()
        state.flags = 0
    state.used = True
    state.looped = not fresh
    sys.modules["__main__"] = state.main
    return state.main.__dict__


def next_cell():
    """The name of the next cell."""
    state.cells += 1
    return f"<cell {state.cells}>"


def keep_source(name, source):
    """Keeps a source for tracebacks, and drops the oldest past the limits."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    sources = state.sources
    sources[name] = len(source)
    while len(sources) > 1 and (len(sources) > MAX_SOURCES or sum(sources.values()) > MAX_SOURCE_SIZE):
        oldest = next(iter(sources))
        del sources[oldest]
        linecache.cache.pop(oldest, None)


def evaluate(source, name, namespace):
    """Runs a source to its end. The answer is the value of its last statement
    if that is an expression without a semicolon after it, else None."""
    if "\n" not in source and ";" not in source and source[:1].strip():
        try:  # one expression needs no tree
            code = compile(source, name, "eval", AWAIT | state.flags, True)
        except SyntaxError:
            pass
        else:
            return run(code, namespace)
    tree = parse(source, name)
    body = tree.body
    last = None
    if body and type(body[-1]) is ast.Expr and not silenced(source, body[-1]):
        last = ast.Expression(body.pop().value)
    if body:
        code = compile(tree, name, "exec", AWAIT | state.flags, True)
        state.flags |= code.co_flags & FUTURE
        run(code, namespace)
    if last is not None:
        return run(compile(last, name, "eval", AWAIT | state.flags, True), namespace)


def parse(source, name):
    """The tree of a source. Lines for a notebook's own program are dropped,
    where they are no Python, and do not matter here."""
    try:
        return compile(source, name, "exec", PARSE | state.flags, True)
    except SyntaxError as error:
        lines = source.split("\n")
        magic = [i for i, line in enumerate(lines) if line.lstrip()[:1] in MAGIC]
        if not magic:
            raise
        for i in magic:
            line = lines[i].lstrip()
            if line.startswith(DROPPED):
                lines[i] = lines[i][:-len(line)] + "pass"
            elif i + 1 == error.lineno:
                error.add_note("The commands of IPython that begin with % or ! are not Python. Packages are named in the request.")
                raise
    return compile("\n".join(lines), name, "exec", PARSE | state.flags, True)


MAGIC = frozenset("%!")
DROPPED = ("%matplotlib", "%config", "%load_ext", "%reload_ext", "%autoreload")


def run(code, namespace):
    if code.co_flags & COROUTINE:
        state.looped = True  # also around what comes after it
        return loop.complete(eval(code, namespace))
    if state.looped:
        with loop.inside():
            return eval(code, namespace)
    return eval(code, namespace)


def silenced(source, statement):
    """Whether a semicolon ends the last statement, as notebooks have it."""
    if ";" not in source:
        return False
    line = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")[statement.end_lineno - 1]
    rest = line.encode("utf-8", "surrogatepass")[statement.end_col_offset:]
    return rest.lstrip(b" \t\f)").startswith(b";")


def show(value, namespace):
    """Answers with the value of a program: text or JSON, and what else it has
    to show."""
    if type(value) is binding.Later:
        value = value.wait()
    text = None
    if value is not None:
        namespace["_"] = value
        kind, data = 2, None
        if type(value) in PLAIN or is_scalar(value):
            data = as_json(value)
        if data is not None:
            kind = 1
        else:
            text = text_of(value)
            data = (text or "").encode("utf-8", "backslashreplace")
        name = errors.type_name(type(value)).encode("utf-8", "backslashreplace")
        host.call(op.RESULT, b"%c%b%b%b%b" % (kind, pack("<I", len(name)), name, pack("<I", len(data)), data))
    display.finish(value, text)


def is_scalar(value):
    """Whether a value is one number or truth value of numpy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.number, numpy.bool_)) and not isinstance(value, numpy.complexfloating)


def as_json(value):
    """A value as JSON text, or None if it is not plain data."""
    try:
        if type(value) not in PLAIN:
            value = value.item()
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def text_of(value):
    """repr(value); what it raises goes to stderr, and the text says so."""
    done, text = display.attempt(repr, value)
    if done:
        return text
    return f"<{errors.type_name(type(value))} object: its repr failed>"
