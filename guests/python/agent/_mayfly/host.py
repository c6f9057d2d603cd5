"""The door to the host: frames to _host.call."""

import _host
from struct import Struct

from . import codec

_CALL = Struct("<BI").pack
_START = Struct("<BII").pack
_WAIT = Struct("<Bd").pack


class HostError(Exception):
    """An error record of the host."""

    def __init__(self, name, code, message):
        super().__init__(message)
        self.name, self.code, self.message = name, code, message


def _ask(frame):
    answer = _host.call(frame)
    if answer[0]:
        raise codec.error(answer, 1)
    return answer


def call(op, payload=b""):
    return _ask(_CALL(0, op) + payload)[1:]


_id = 0
serving = None  # what wait is for a worker, once there is one
evaluating = False  # a worker's modules are: nothing may be begun

GLOBAL_SCOPE = (
    "Disallowed operation called within global scope. Asynchronous I/O (ex: fetch() or connect()), setting a timeout, "
    "and generating random values are not allowed within global scope. To fix this error, perform this operation within a handler."
)


def start(op, payload=b""):
    global _id
    if evaluating:
        raise RuntimeError(GLOBAL_SCOPE)
    _id += 1
    _ask(_START(1, op, _id) + payload)
    return _id


def wait(ms=-1.0):
    """(id, ok, payload) of what settled, or None."""
    return _wait(ms) if serving is None else serving(ms)


def _wait(ms):
    answer = _ask(_WAIT(2, ms))
    if not answer[1]:
        return None
    return int.from_bytes(answer[2:6], "little"), answer[6] == 1, answer[7:]


def event():
    answer = _ask(b"\x03")
    return int.from_bytes(answer[1:5], "little"), answer[5:]
