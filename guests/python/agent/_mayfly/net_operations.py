"""The network's operations: begun here, and settled by callbacks.

Whoever waits for anything, a blocking socket or the event loop, hands every
settlement of an operation of the network to [settle], so that connections make
progress whichever of them a program looks at.
"""

import errno
import time

from . import codec, host, op

_callbacks = {}


def start(operation, payload, done):
    """Begins an operation; done(ok, payload) is called when it settles."""
    id = host.start(operation, payload)
    _callbacks[id] = done
    return id


def cancel(id):
    """Drops an operation: it will not settle. Unknown ids are ignored."""
    if _callbacks.pop(id, None) is not None:
        writer = codec.Writer()
        writer.u32(id)
        host.call(op.CANCEL, writer.done())


def cancel_body(handle):
    """Gives a response's body up."""
    writer = codec.Writer()
    writer.u32(handle)
    host.call(op.BODY_CANCEL, writer.done())


def pending():
    """Is anything under way?"""
    return bool(_callbacks)


def forget():
    """Fails what is under way: the host knows nothing of it any more, as when a
    session goes on with its next cell."""
    for id in list(_callbacks):
        settle(id, False, LOST)


def settle(id, ok, payload):
    """Takes a settlement, and says whether it was one of the network's."""
    done = _callbacks.pop(id, None)
    if done is None:
        return False
    done(ok, payload)
    return True


def until(ready, timeout):
    """Blocks until ready() is true; TimeoutError after timeout seconds (None: never)."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not ready():
        left = -1.0
        if deadline is not None:
            left = (deadline - time.monotonic()) * 1000
            if left <= 0:
                raise TimeoutError("timed out")
        settled = host.wait(left)
        if settled is not None:
            from . import loop

            loop.settle(*settled)


def _record(name, code, message):
    w = codec.Writer()
    for text in (name, code, message, ""):
        w.str(text)
    w.u8(0)
    return w.done()


LOST = _record("Error", "ECONNRESET", "connections last no longer than the cell that made them: make it again")

# The codes of error records that have an exception of their own.
_ERRNO = {
    "EACCES": errno.EACCES,
    "ECONNABORTED": errno.ECONNABORTED,
    "ECONNREFUSED": errno.ECONNREFUSED,
    "ECONNRESET": errno.ECONNRESET,
    "EHOSTUNREACH": errno.EHOSTUNREACH,
    "ETIMEDOUT": errno.ETIMEDOUT,
}
_CERTIFICATE = frozenset((
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "CERT_HAS_EXPIRED",
    "CERT_INVALID",
))


class Failure:
    """Why an operation of the network failed: an error record."""

    def __init__(self, payload):
        r = codec.Reader(payload)
        self.name, self.code, message = r.str(), r.str(), r.str()
        self.message = message.removeprefix("fetch failed: ")
        r.str()
        if not self.code and r.u8():
            r.str()
            self.code = r.str()

    def exception(self):
        """The exception that a socket would raise for it."""
        import socket
        import ssl

        if self.code in ("ENOTFOUND", "EAI_AGAIN"):
            number = socket.EAI_NONAME if self.code == "ENOTFOUND" else socket.EAI_AGAIN
            return socket.gaierror(number, self.message)
        if self.code in _CERTIFICATE:
            message = f"certificate verify failed: {self.message}; the host verifies certificates, and that can't be turned off"
            error = ssl.SSLCertVerificationError(1, message)
            error.library, error.reason = "SSL", "CERTIFICATE_VERIFY_FAILED"
            error.verify_code, error.verify_message = 20, self.message
            return error
        if self.code == "EPROTO":
            error = ssl.SSLError(1, self.message)
            error.library, error.reason = "SSL", "WRONG_VERSION_NUMBER"
            return error
        number = _ERRNO.get(self.code)
        return OSError(self.message) if number is None else OSError(number, self.message)
