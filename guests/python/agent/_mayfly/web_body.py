"""Streams, and the bodies of requests and responses: None, bytes, or a stream that is
read once.
"""

import json as _json
from collections.abc import Mapping

from . import codec, net_operations, op, stub, value, worker_loop
from .net_peer import encode_read, encode_write
from .web_form import Blob, FormData, parse_form
from .web_headers import Newable

TEXT = "text/plain;charset=UTF-8"
LAST, BROKEN = 1, 2  # of a write


class ReadableStream:
    """A stream of bytes: async for chunk in stream; read once."""

    def __init__(self, handle=0, source=None):
        self._handle, self._source, self._used = handle, source, False

    def __aiter__(self):
        return self._chunks()

    async def _chunks(self):
        if self._used:
            raise TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.")
        self._used = True
        if self._source is not None:
            async for chunk in each(self._source):
                yield chunk
            return
        try:
            while self._handle:
                r = codec.Reader(await stub.settled(op.BODY_READ, encode_read(self._handle)))
                if r.u8():
                    self._handle = 0
                elif data := r.bytes():
                    yield data
        finally:
            self.cancel()

    def _take(self):
        """The host's handle of what was not read, or 0: it is passed on."""
        if self._used or not self._handle:
            return 0
        self._used = True
        handle, self._handle = self._handle, 0
        return handle

    async def bytes(self):
        return b"".join([chunk async for chunk in self])

    async def text(self):
        return (await self.bytes()).decode("utf-8", "replace")

    def cancel(self, reason=None):
        handle, self._handle = self._handle, 0
        if handle:
            net_operations.cancel_body(handle)

    @property
    def locked(self):
        return self._used

    def __del__(self):
        try:
            self.cancel()
        except Exception:
            pass  # the host drops it with the event

    def __repr__(self):
        return "<ReadableStream>"


class WritableStream:
    """A stream that was passed here: await stream.write(bytes), await
    stream.close()."""

    def __init__(self, handle):
        self._handle = handle

    async def write(self, chunk):
        await stub.settled(op.BODY_WRITE, encode_write(self._handle, 0, chunk_bytes(chunk)))

    async def close(self):
        await stub.settled(op.BODY_WRITE, encode_write(self._handle, LAST))

    async def abort(self, reason=None):
        await stub.settled(op.BODY_WRITE, encode_write(self._handle, BROKEN))

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, *error):
        await (self.close() if kind is None else self.abort())


async def each(source):
    """The chunks of an iterable, as bytes."""
    if hasattr(source, "__aiter__"):
        async for chunk in source:
            yield chunk_bytes(chunk)
    else:
        for chunk in source:
            yield chunk_bytes(chunk)


def chunk_bytes(chunk):
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return chunk
    raise TypeError(f"a body's chunk is bytes or text, not {type(chunk).__name__}")


async def write_stream(handle, source):
    """Writes an iterable to a handle of the host. An error breaks it there."""
    try:
        async for chunk in each(source):
            if len(chunk):
                await stub.settled(op.BODY_WRITE, encode_write(handle, 0, chunk))
    except BaseException:
        net_operations.start(op.BODY_WRITE, encode_write(handle, BROKEN), ignore)
        raise
    await stub.settled(op.BODY_WRITE, encode_write(handle, LAST))


def ignore(ok, payload):
    pass


def body_of(body, what):
    """A body as bytes or a stream, and the type that goes with it."""
    if body is None:
        return None, None
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), TEXT
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body), None
    if isinstance(body, FormData):
        return body._encode()
    if isinstance(body, Blob):
        return body._data, body.type or None
    if isinstance(body, ReadableStream):
        return body, None
    if isinstance(body, Body):
        return body._give(), None
    if hasattr(body, "_urlencoded"):
        return body._urlencoded().encode(), "application/x-www-form-urlencoded;charset=UTF-8"
    if hasattr(body, "_body") and hasattr(body, "_handle"):  # a net_fetch.Response
        return ReadableStream(source=body), None
    if hasattr(body, "__aiter__") or (hasattr(body, "__iter__") and not isinstance(body, (Mapping, list, set, tuple))):
        return ReadableStream(source=body), None
    raise TypeError(f"Unsupported type in {what}: {type(body).__name__}")


class Body(Newable):
    """What requests and responses have in common."""

    # _content is None, bytes, or a ReadableStream
    _used = False
    _plain = True  # json() gives plain dicts

    @property
    def body(self):
        if self._content is None:
            return None
        if not isinstance(self._content, ReadableStream):
            content = self._content
            self._content = ReadableStream(source=(content,) if content else ())
        return self._content

    @property
    def body_used(self):
        return self._used or isinstance(self._content, ReadableStream) and self._content._used

    bodyUsed = body_used

    def _give(self):
        """The content, which is used up by it."""
        if self.body_used:
            raise TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.")
        self._used = self._content is not None
        return self._content

    async def bytes(self):
        content = self._give()
        if content is None:
            return b""
        return content if isinstance(content, bytes) else await content.bytes()

    buffer = array_buffer = arrayBuffer = bytes

    async def text(self):
        return (await self.bytes()).decode("utf-8-sig", "replace")

    async def json(self):
        data = await self.bytes()
        return _json.loads(data) if self._plain else _json.loads(data, object_hook=value.Object)

    async def blob(self):
        return Blob([await self.bytes()], self.headers.get("content-type", ""))

    async def form_data(self):
        return parse_form(await self.bytes(), self.headers.get("content-type", ""))

    formData = form_data

    def _clone_content(self):
        content = self._give()
        self._used = False
        if isinstance(content, ReadableStream):
            shared = Shared(content)
            self._content, content = ReadableStream(source=shared.chunks()), ReadableStream(source=shared.chunks())
        return content

    def __aiter__(self):
        content = self._give()
        return content._chunks() if isinstance(content, ReadableStream) else each((content,) if content else ())


class Shared:
    """A stream that is read by several."""

    def __init__(self, stream):
        self.stream, self.read = stream._chunks(), []
        self.ended, self.reading = False, None

    async def chunks(self):
        at = 0
        while True:
            if at < len(self.read):
                at += 1
                yield self.read[at - 1]
            elif self.ended:
                return
            else:
                await self.next()

    async def next(self):
        if self.reading is not None:
            await self.reading
            return
        self.reading = worker_loop.worker.create_future()
        try:
            self.read.append(await anext(self.stream))
        except StopAsyncIteration:
            self.ended = True
        finally:
            reading, self.reading = self.reading, None
            reading.set_result(None)
