"""The standard streams. They are files of the interpreter's own over the
descriptors 0, 1 and 2, so that what C code writes comes in order with them; the
host sees every line as it is written."""

import io
import sys


def open_input():
    return _text(0, "r", "surrogateescape")


def open_output():
    return _text(1, "w", "surrogateescape")


def open_errors():
    return _text(2, "w", "backslashreplace")


def _text(descriptor, mode, errors):
    raw = io.FileIO(descriptor, mode + "b", closefd=False)
    raw.name = ("<stdin>", "<stdout>", "<stderr>")[descriptor]
    buffered = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    stream = io.TextIOWrapper(buffered, encoding="utf-8", errors=errors, newline=None if mode == "r" else "\n",
                              line_buffering=mode == "w")
    stream.mode = mode
    return stream


def install():
    """Gives the interpreter new streams."""
    global stdout, stderr
    sys.stdin = sys.__stdin__ = open_input()
    sys.stdout = sys.__stdout__ = stdout = open_output()
    sys.stderr = sys.__stderr__ = stderr = open_errors()


def repair():
    """Opens again what an earlier cell closed."""
    global stdout, stderr
    if stdout.closed:
        sys.__stdout__ = stdout = open_output()
    if stderr.closed:
        sys.__stderr__ = stderr = open_errors()
    if _gone("stdin"):
        sys.stdin = sys.__stdin__ = open_input()
    if _gone("stdout"):
        sys.stdout = stdout
    if _gone("stderr"):
        sys.stderr = stderr


def _gone(name):
    stream = getattr(sys, name, None)
    try:
        return stream is None or stream.closed
    except Exception:
        return False


def flush():
    """Passes on all that has been written, in whatever streams it is."""
    for stream in (getattr(sys, "stdout", None), getattr(sys, "stderr", None), stdout, stderr):
        try:
            stream.flush()
        except Exception:
            pass  # closed or replaced by something else: its owner's loss
