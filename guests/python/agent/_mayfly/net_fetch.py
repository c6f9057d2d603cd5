"""await fetch(url): a request as on the web, for programs that await anyway.

The names are those of the Fetch standard where Python has no better custom:
headers are found without regard to case, and errors of the network are
ConnectionError or another OSError with the host's reason.
"""

import asyncio
import json as _json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from . import codec, op
from . import net_operations as operations
from .net_peer import Answer, encode_fetch, encode_read, encode_write, spelling

_REDIRECTS = {"follow": 0, "manual": 1, "error": 2}


class Headers(Mapping):
    """The headers of a response: names without regard to case, values joined by a
    comma where a name came more than once (get_all has them apart)."""

    def __init__(self, pairs):
        self._values = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name):
        return ", ".join(self._values[name.lower()])

    def __contains__(self, name):
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self):
        return map(spelling, self._values)

    def __len__(self):
        return len(self._values)

    def get_all(self, name):
        """The values of a header as they came."""
        return list(self._values.get(name.lower(), ()))

    def __repr__(self):
        return f"Headers({dict(self)!r})"


class Response:
    """The answer to a fetch. Its body is read once: by bytes(), text(), json(), or
    by iterating over its chunks (async for chunk in response)."""

    def __init__(self, answer):
        self.status = answer.status
        self.status_text = answer.reason
        self.url = answer.url
        self.redirected = answer.redirected
        self.headers = Headers(answer.headers)
        self._body = answer.body
        self._handle = answer.handle
        self._used = False

    @property
    def ok(self):
        """Is the status one of success (200 to 299)?"""
        return 200 <= self.status < 300

    @property
    def body_used(self):
        """Was the body read, or begun to be?"""
        return self._used

    def raise_for_status(self):
        """Raises OSError unless the response is ok."""
        if not self.ok:
            raise OSError(f"HTTP status {self.status} {self.status_text} for {self.url}".replace("  ", " "))
        return self

    def __aiter__(self):
        return self._chunks()

    async def _chunks(self):
        if self._used:
            raise RuntimeError("the body was read already")
        self._used = True
        if self._body:
            body, self._body = self._body, b""
            yield body
        try:
            while self._handle:
                r = codec.Reader(await _settled(op.BODY_READ, encode_read(self._handle)))
                if r.u8():
                    self._handle = 0
                    return
                yield r.bytes()
        finally:
            self.close()

    async def bytes(self):
        """The whole body."""
        return b"".join([chunk async for chunk in self])

    async def text(self):
        """The whole body as text, in the encoding that its type names, or UTF-8."""
        data = await self.bytes()
        named = re.search(r"charset\s*=\s*\"?([\w.:-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            return data.decode(named[1] if named else "utf-8-sig", "replace")
        except LookupError:
            return data.decode("utf-8", "replace")

    async def json(self):
        """The whole body, parsed as JSON."""
        return _json.loads(await self.bytes())

    def close(self):
        """Gives up what of the body was not read."""
        if self._handle:
            operations.cancel_body(self._handle)
            self._handle = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", 0):
            self.close()

    def __repr__(self):
        return f"<Response {self.status} {self.url}>"


def _begin(operation, payload):
    """Starts an operation, and answers its number and a future of its answer."""
    future = asyncio.get_running_loop().create_future()

    def done(ok, payload):
        if future.done():
            return
        if ok:
            future.set_result(payload)
        else:
            future.set_exception(operations.Failure(payload).exception())

    return operations.start(operation, payload, done), future


async def _settled(operation, payload):
    id, future = _begin(operation, payload)
    try:
        return await future
    except asyncio.CancelledError:
        operations.cancel(id)
        raise


def _encode_body(body, json, headers):
    """A body's bytes, or None, and its type as a header."""
    if json is not None:
        if body is not None:
            raise TypeError("body and json exclude each other")
        return _json.dumps(json).encode(), "application/json"
    if isinstance(body, str):
        return body.encode(), "text/plain;charset=UTF-8"
    if isinstance(body, Mapping):
        return urlencode(body, doseq=True).encode(), "application/x-www-form-urlencoded;charset=UTF-8"
    return bytes(body), None


async def _upload(id, body):
    """Writes a streamed body: an iterable of bytes, asynchronous or not."""
    try:
        if hasattr(body, "__aiter__"):
            async for chunk in body:
                await _settled(op.BODY_WRITE, encode_write(id, 0, chunk))
        else:
            for chunk in body:
                await _settled(op.BODY_WRITE, encode_write(id, 0, chunk))
    except OSError:
        return  # the server wants no more of it: its answer counts
    except BaseException:
        operations.start(op.BODY_WRITE, encode_write(id, 2), lambda ok, payload: None)
        raise
    try:
        await _settled(op.BODY_WRITE, encode_write(id, 1))
    except OSError:
        pass


async def fetch(url, *, method="GET", headers=None, body=None, json=None, redirect="follow", timeout=None):
    """Sends a request, and answers its [Response] when the head of it is there.

    headers is a mapping or a list of pairs; body bytes, str, a mapping (sent as a
    form), or an iterable of bytes, which is streamed; json any value to send as
    JSON; redirect follow, manual or error; timeout the seconds until the head.
    An OSError says why the request could not be made: PermissionError if the
    network policy refuses it, TimeoutError, ConnectionError, ssl.SSLError.
    """
    return await fetch_via(None, url, method=method, headers=headers, body=body, json=json, redirect=redirect, timeout=timeout)


async def fetch_via(wrap, url, *, method="GET", headers=None, body=None, json=None, redirect="follow", timeout=None):
    """The same by a binding: wrap makes its operation's message of that of fetch."""
    if redirect not in _REDIRECTS:
        raise ValueError("redirect is follow, manual or error")
    pairs = [(str(name), str(value)) for name, value in (headers.items() if hasattr(headers, "items") else headers or ())]
    kind, content, stream = 0, b"", None
    if json is not None or isinstance(body, (str, Mapping, bytes, bytearray, memoryview)):
        kind = 1
        content, type = _encode_body(body, json, pairs)
        if type and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("content-type", type))
    elif body is not None:
        if not hasattr(body, "__aiter__") and not hasattr(body, "__iter__"):
            raise TypeError("body is bytes, str, a mapping, or an iterable of bytes")
        kind, stream = 2, body
    if kind and method == "GET":
        method = "POST"
    message = encode_fetch(method, str(url), pairs, _REDIRECTS[redirect], kind, content)
    id, answered = _begin(op.FETCH, message) if wrap is None else _begin(op.BINDING, wrap(message))
    upload = asyncio.ensure_future(_upload(id, stream)) if stream is not None else None
    try:
        async with asyncio.timeout(timeout):
            if upload is not None:
                await asyncio.wait((answered, upload), return_when=asyncio.FIRST_COMPLETED)
                if upload.done() and not answered.done():
                    upload.result()  # the body's own error, if there was one
            payload = await answered
    except BaseException as error:
        if isinstance(error, OSError) and upload is not None and upload.done() and not upload.cancelled() and upload.exception():
            error = upload.exception()  # it is why the request was given up
            operations.cancel(id)
            raise error from None
        operations.cancel(id)
        if upload is not None:
            upload.cancel()
        raise
    return Response(Answer(payload))
