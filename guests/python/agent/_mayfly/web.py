"""Requests and responses as workers have them, and what their bodies are made of.

The names are those of Workers in Python; those of JavaScript work, too, as do its
constructors: Response.new(…).
"""

import json as _json
import re
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from os import urandom
from struct import Struct, pack
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from . import binding, codec, host, loop, net_fetch, net_operations, op, stub, value, worker_loop
from .net_peer import Answer, encode_fetch, encode_read, encode_write

BLOB, FILE, HEADERS, REQUEST, RESPONSE = 60020, 60021, 60022, 60023, 60024
NONE, BYTES, STREAM, OF_HOST = range(4)  # kinds of bodies
LAST, BROKEN = 1, 2  # of a write

TEXT = "text/plain;charset=UTF-8"
_NO_BODY = frozenset((101, 204, 205, 304))
_REDIRECTS = {"follow": 0, "manual": 1, "error": 2}
_u32 = Struct("<I").unpack_from
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch


def given(options):
    """Options as Python has them: None is not given, names of JavaScript work."""
    return {binding.snake(name): v for name, v in options.items() if v is not None}


class Newable:
    """Things of JavaScript are made by new."""

    @classmethod
    def new(cls, *args, **named):
        return cls(*args, **named)

    def to_py(self, **options):
        return self

    @property
    def js_object(self):
        return self


# ---- headers


class Headers(Newable):
    """Headers: names without regard to case, several values of a name in order."""

    def __init__(self, init=None):
        self._list = []
        if init is None:
            return
        if isinstance(init, Headers):
            self._list = list(init._list)
            return
        for name, v in init.items() if hasattr(init, "items") else init:
            self.append(name, v)

    def append(self, name, v):
        name, v = str(name).lower(), str(v).strip(" \t\r\n")
        if not _TOKEN(name):
            raise TypeError(f"Invalid header name: {name!r}")
        if "\n" in v or "\r" in v or "\0" in v:
            raise TypeError(f"Invalid header value of {name}")
        self._list.append((name, v))

    def set(self, name, v):
        self.delete(name)
        self.append(name, v)

    __setitem__ = set

    def delete(self, name):
        name = str(name).lower()
        self._list = [pair for pair in self._list if pair[0] != name]

    def __delitem__(self, name):
        if name not in self:
            raise KeyError(name)
        self.delete(name)

    def get_all(self, name, default=None):
        name = str(name).lower()
        return [v for n, v in self._list if n == name] or ([] if default is None else default)

    getAll = get_all

    def get_set_cookie(self):
        return self.get_all("set-cookie")

    getSetCookie = get_set_cookie

    def get(self, name, default=None):
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def __getitem__(self, name):
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def has(self, name):
        name = str(name).lower()
        return any(n == name for n, _ in self._list)

    def __contains__(self, name):
        return isinstance(name, str) and self.has(name)

    def keys(self):
        return list(dict.fromkeys(name for name, _ in self._list))

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self.keys())

    def values(self):
        return [self[name] for name in self.keys()]

    def items(self):
        return [(name, self[name]) for name in self.keys()]

    entries = items

    def raw_items(self):
        """Names and values as they came."""
        return list(self._list)

    def setdefault(self, name, v):
        if name not in self:
            self.append(name, v)
        return self[name]

    def update(self, other):
        for name, v in other.items() if hasattr(other, "items") else other:
            self.set(name, v)

    def __eq__(self, other):
        return isinstance(other, Headers) and self._list == other._list

    __hash__ = None

    def __repr__(self):
        return f"Headers({self._list!r})"


def make_headers(pairs):
    made = Headers.__new__(Headers)
    made._list = pairs
    return made


# ---- blobs and forms


class Blob(Newable):
    """Bytes with a type."""

    def __init__(self, blob_parts=(), content_type=None, *, type=None, **options):
        if isinstance(content_type, dict):
            content_type = content_type.get("type")
        if isinstance(blob_parts, (str, bytes, bytearray, memoryview, Blob)):
            blob_parts = (blob_parts,)
        self._data = b"".join(part_bytes(part) for part in blob_parts)
        self.type = (content_type or type or "").lower()

    @property
    def size(self):
        return len(self._data)

    content_type = property(lambda self: self.type)

    async def bytes(self):
        return self._data

    buffer = array_buffer = arrayBuffer = bytes

    async def text(self):
        return self._data.decode("utf-8", "replace")

    def slice(self, start=0, end=None, content_type=""):
        return Blob([self._data[start:end]], content_type)

    def __repr__(self):
        return f"<{type(self).__name__} {self.type or 'of no type'}, {len(self._data)} bytes>"


class File(Blob):
    """A Blob with a name."""

    def __init__(self, blob_parts=(), filename="file", content_type=None, last_modified=None, *, type=None, **options):
        super().__init__(blob_parts, content_type, type=type)
        self.name = filename
        self.last_modified = int(last_modified if last_modified is not None else options.get("lastModified", 0))

    lastModified = property(lambda self: self.last_modified)


def part_bytes(part):
    if isinstance(part, str):
        return part.encode("utf-8", "surrogatepass")
    if isinstance(part, Blob):
        return part._data
    return bytes(part)


class FormData(Newable):
    """The fields of a form: several values of a name in order, text or a File."""

    def __init__(self, form_data=None):
        self._list = []
        if form_data is not None:
            for name, v in form_data.items() if hasattr(form_data, "items") else form_data:
                for one in v if isinstance(v, (list, tuple)) else (v,):
                    self.append(name, one)

    def append(self, name, v, filename=None):
        if isinstance(v, Blob):
            if filename is not None or not isinstance(v, File):
                v = File([v], filename or "blob", v.type)
        elif isinstance(v, (bytes, bytearray)):
            v = File([v], filename or "blob", "application/octet-stream")
        else:
            v = str(v)
        self._list.append((str(name), v))

    def set(self, name, v, filename=None):
        self.delete(name)
        self.append(name, v, filename)

    __setitem__ = set

    def delete(self, name):
        self._list = [pair for pair in self._list if pair[0] != name]

    __delitem__ = delete

    def get_all(self, name):
        return [v for n, v in self._list if n == name]

    getAll = get_all

    def get(self, name, default=None):
        return next(iter(self.get_all(name)), default)

    def __getitem__(self, name):
        for n, v in self._list:
            if n == name:
                return v
        raise KeyError(name)

    def has(self, name):
        return any(n == name for n, _ in self._list)

    __contains__ = has

    def keys(self):
        return [name for name, _ in self._list]

    def values(self):
        return [v for _, v in self._list]

    def items(self):
        return list(self._list)

    entries = items

    def __iter__(self):
        return iter(self.keys())

    def __len__(self):
        return len(self._list)

    def __repr__(self):
        return f"FormData({self._list!r})"

    def _encode(self):
        """Its multipart form (RFC 7578) and the type of that."""
        boundary = "----formdata-" + urandom(16).hex()
        parts = []
        for name, v in self._list:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{escape(name)}"'
            if isinstance(v, File):
                head += f'; filename="{escape(v.name)}"\r\nContent-Type: {v.type or "application/octet-stream"}'
            parts.append(head.encode() + b"\r\n\r\n" + (v._data if isinstance(v, File) else v.replace("\r\n", "\n").replace("\n", "\r\n").encode()) + b"\r\n")
        parts.append(f"--{boundary}--\r\n".encode())
        return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def escape(name):
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def parse_form(data, content_type):
    """A body as a form, as its type says."""
    form = FormData()
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        form._list = parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True)
        return form
    if kind != "multipart/form-data":
        raise TypeError(f"Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded. Got: {content_type}")
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if not boundary:
        raise TypeError("No boundary in Content-Type header")
    delimiter = b"\r\n--" + boundary.encode()
    for part in (b"\r\n" + data).split(delimiter)[1:]:
        if part.startswith(b"--"):
            break
        head, found, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not found:
            raise TypeError("The form is malformed")
        fields = BytesParser().parsebytes(head + b"\r\n\r\n", headersonly=True)
        name = fields.get_param("name", header="content-disposition")
        if name is None:
            raise TypeError("No valid Content-Disposition header in a part of the form")
        filename = fields.get_filename()
        if filename is None:
            form._list.append((name, content.decode("utf-8", "replace")))
        else:
            form._list.append((name, File([content], filename, fields.get("content-type", "application/octet-stream"))))
    return form


# ---- streams and bodies


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


# ---- requests and responses


class AbortSignal:
    """Says whether who asked has gone away."""

    def __init__(self):
        self.aborted, self.reason, self._listeners = False, None, []

    def abort(self, reason=None):
        if not self.aborted:
            self.aborted, self.reason = True, reason
            for listener in self._listeners:
                listener(value.Object(type="abort"))

    def add_event_listener(self, kind, listener, *rest):
        self._listeners.append(listener)

    addEventListener = add_event_listener

    def throw_if_aborted(self):
        if self.aborted:
            raise value.JsException(str(self.reason), "AbortError")

    throwIfAborted = throw_if_aborted


class Request(Body):
    """A request: url, method, headers, and its body by await text(), json(),
    bytes(), form_data()."""

    _event = None

    def __init__(self, input, init=None, **options):
        options = given({**(init or {}), **options})
        if isinstance(input, Request):
            self.url, self.method, self.headers, self.redirect, self._cf = input.url, input.method, Headers(input.headers), input.redirect, input._cf
            self._signal = input._signal
            self._content = None if "body" in options else input._give()
        else:
            self.url, self.method, self.headers, self.redirect, self._cf, self._signal = checked_url(str(input)), "GET", Headers(), "follow", None, None
            self._content = None
        self.method = method_of(options.get("method", self.method))
        if "headers" in options:
            self.headers = Headers(options["headers"])
        if "redirect" in options:
            self.redirect = options["redirect"]
            if self.redirect not in _REDIRECTS:
                raise TypeError("redirect is follow, manual or error")
        if options.get("cf") is not None:
            self._cf = options["cf"]
        if "body" in options:
            self._content, kind = body_of(options["body"], "Request")
            if kind is not None:
                self.headers.setdefault("content-type", kind)
        if self._content is not None and self.method in ("GET", "HEAD"):
            raise TypeError("Request with a GET or HEAD method cannot have a body.")

    @classmethod
    def _received(cls, data, at, event):
        """That of a dispatched event: what comes after the URL is read when it is
        asked for."""
        self = cls.__new__(cls)
        size, = _u32(data, at)
        at += 4
        self.method = data[at:at + size].decode()
        at += size
        size, = _u32(data, at)
        at += 4
        self.url = data[at:at + size].decode("utf-8", "replace")
        self._rest = data, at + size
        self._event, self._signal, self.redirect = event, None, "manual"
        return self

    def __getattr__(self, name):
        if name in ("headers", "_cf", "_content") and "_rest" in self.__dict__:
            r = codec.Reader(*self.__dict__.pop("_rest"))
            self.headers = make_headers([(r.str().lower(), r.str()) for _ in range(r.u32())])
            self._cf = r.bytes()
            kind, data, handle = r.u8(), r.bytes(), r.u32()
            self._content = data if kind == BYTES else ReadableStream(handle) if kind == STREAM else None
            return self.__dict__[name]
        raise AttributeError(f"'Request' object has no attribute {name!r}", name=name, obj=self)

    @property
    def cf(self):
        if isinstance(self._cf, bytes):
            self._cf = _json.loads(self._cf, object_hook=value.Object) if self._cf else value.Object()
        return self._cf

    @property
    def signal(self):
        if self._signal is None:
            self._signal = AbortSignal()
            if self._event is not None:
                self._event.signal = self._signal
        return self._signal

    def clone(self):
        headers = Headers(self.headers)  # which has the rest read
        copy = Request.__new__(Request)
        copy.__dict__.update(self.__dict__)
        copy.headers = headers
        copy._content = self._clone_content()
        return copy

    def __repr__(self):
        return f"<Request {self.method} {self.url}>"


def checked_url(url):
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        raise TypeError(f"Invalid URL: {url}")
    return url if parts.path else parts._replace(path="/").geturl()


def method_of(method):
    method = str(method)
    if not _TOKEN(method):
        raise TypeError(f"Invalid HTTP method: {method!r}")
    return method.upper() if method.upper() in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else method


class Response(Body):
    """A response: body is None, text, bytes, a FormData, Blob, ReadableStream, or an
    iterable of bytes, which is streamed; headers a dict or a list of pairs."""

    url, redirected, type = "", False, "default"

    def __init__(self, body=None, init=None, *, status=None, status_text="", headers=None, **options):
        if init is not None and not isinstance(init, int):
            options = {**init, **options}
        elif init is not None:
            status = init
        if options:
            options = given(options)
            status = options.pop("status", status)
            status_text = options.pop("status_text", status_text)
            headers = options.pop("headers", headers)
        if type(body) is str and status is None and headers is None:  # most are
            self.status, self.status_text, self.headers, self._content = 200, status_text, make_headers([("content-type", TEXT)]), body.encode("utf-8", "replace")
            return
        if isinstance(body, Response) and status is None:
            status, status_text, headers = body.status, status_text or body.status_text, body.headers if headers is None else headers
        self.status = 200 if status is None else int(status)
        if not 200 <= self.status <= 599 and self.status != 101:
            raise ValueError(f"Responses may only be constructed with status codes in the range 200 to 599, inclusive: got {self.status}.")
        self.status_text = status_text or ""
        self.headers = Headers(headers)
        self._content, kind = body_of(body, "Response")
        if self._content is not None and self.status in _NO_BODY:
            if isinstance(self._content, bytes) and not self._content:
                self._content = None
            else:
                raise TypeError(f"Response with null body status ({self.status}) cannot have a body.")
        if kind is not None:
            self.headers.setdefault("content-type", kind)

    @classmethod
    def from_json(cls, data, init=None, **options):
        """A response of a value as JSON."""
        response = cls(_json.dumps(value.plain(data), separators=(",", ":"), ensure_ascii=False), init, **options)
        if response.headers["content-type"] == TEXT:
            response.headers["content-type"] = "application/json"
        return response

    @classmethod
    def redirect(cls, url, status=302):
        if status not in (301, 302, 303, 307, 308):
            raise ValueError(f"{status} is no status of a redirection")
        return cls(None, status=status, headers={"location": str(url)})

    @classmethod
    def error(cls):
        made = cls()
        made.status, made.type = 0, "error"
        return made

    @classmethod
    def _answered(cls, answer):
        """That of an answer of the host."""
        self = cls.__new__(cls)
        self.status, self.status_text, self.url, self.redirected = answer.status, answer.reason, answer.url, answer.redirected
        self.headers = make_headers([(name.lower(), v) for name, v in answer.headers])
        self._content = bytes(answer.body) if answer.kind == BYTES else ReadableStream(answer.handle) if answer.kind == STREAM else None
        return self

    @property
    def ok(self):
        return 200 <= self.status < 300

    statusText = property(lambda self: self.status_text)

    def raise_for_status(self):
        """Raises OSError unless the response is ok."""
        if not self.ok:
            raise OSError(f"HTTP status {self.status} {self.status_text} for {self.url}".replace("  ", " "))
        return self

    def clone(self):
        copy = Response.__new__(Response)
        copy.__dict__.update(self.__dict__)
        copy.headers = Headers(self.headers)
        copy._content = self._clone_content()
        return copy

    def replace_body(self, body):
        """A response with the same head."""
        return Response(body, status=self.status, status_text=self.status_text, headers=self.headers)

    def __repr__(self):
        return f"<Response {self.status}>"


class Json:
    """Response.json(data) makes one, and await response.json() reads it."""

    def __get__(self, instance, owner):
        return owner.from_json if instance is None else Body.json.__get__(instance)


Response.json = Json()


def as_response(answer):
    """What a handler gave, as a Response."""
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, net_fetch.Response):
        made = Response(None, status=answer.status, status_text=answer.status_text)
        made.headers = make_headers([(name, v) for name, values in answer.headers._values.items() for v in values])
        made._content = ReadableStream(source=answer)
        return made
    if hasattr(answer, "status") and hasattr(answer, "_whole"):  # of ASSETS
        made = Response(None, status=answer.status)
        made.headers = make_headers([(name, v) for name, values in answer.headers._values.items() for v in values])
        made._content = ReadableStream(source=asset(answer))
        return made
    raise TypeError(f"The handler did not return a Response, but {'nothing' if answer is None else 'an object of the type ' + type(answer).__name__}.")


async def asset(answer):
    yield await answer.bytes()


def sized(data):
    return len(data).to_bytes(4, "little") + data


def respond(event, response):
    """Answers a fetch. A body that is to be written is the coroutine that does."""
    content = response._give()
    kind, data, source = NONE, b"", None
    if isinstance(content, bytes):
        kind, data = BYTES, content
    elif content is not None:
        if handle := content._take():
            kind, data = OF_HOST, handle.to_bytes(4, "little")
        else:
            kind, source = STREAM, content
    pairs = response.headers._list
    parts = [pack("<II", event, response.status), sized(response.status_text.encode()), pack("<I", len(pairs))]
    for name, v in pairs:
        parts.append(sized(name.encode()))
        parts.append(sized(v.encode("utf-8", "replace")))
    parts.append(pack("<BI", kind, len(data)))
    parts.append(data)
    answer = host.call(op.RESPOND, b"".join(parts))
    if source is None:
        return None
    return write_stream(int.from_bytes(answer[:4], "little"), source)


# ---- fetch


async def fetch(resource, init=None, **options):
    """Sends a request: a URL or a Request, with method, headers, body, redirect."""
    return await fetch_via(op.FETCH, b"", resource, init, options)


async def fetch_via(operation, prefix, resource, init, options):
    """The same by an operation, whose message begins with a prefix."""
    options = {**(init or {}), **options}
    signal, timeout = options.pop("signal", None), options.pop("timeout", None)
    if "json" in options:
        options["body"] = _json.dumps(options.pop("json"))
        options["headers"] = Headers(options.get("headers"))
        options["headers"].setdefault("content-type", "application/json")
    if options.get("body") is not None and "method" not in options and not isinstance(resource, Request):
        options["method"] = "POST"
    for unused in ("credentials", "mode", "cache", "integrity", "keepalive", "referrer"):
        options.pop(unused, None)
    request = resource if isinstance(resource, Request) and not options else Request(resource, **options)
    if signal is not None:
        signal.throw_if_aborted()
    content = request._give()
    kind, data, source = NONE, b"", None
    if isinstance(content, bytes):
        kind, data = BYTES, content
    elif content is not None:
        if handle := content._take():
            kind, data = OF_HOST, handle.to_bytes(4, "little")
        else:
            kind, source = STREAM, content
    message = prefix + encode_fetch(request.method, request.url, request.headers._list, _REDIRECTS[request.redirect], kind, data)
    future = worker_loop.worker.create_future()

    def done(ok, payload):
        if future.done():
            return
        if ok:
            future.set_result(payload)
        elif operation == op.FETCH:
            future.set_exception(fetch_failure(payload))
        else:
            future.set_exception(stub.failure(payload))

    ident = net_operations.start(operation, message, done)
    upload = None
    if source is not None:
        upload = worker_loop.worker.create_task(write_stream(ident, source))
        upload.add_done_callback(stub.looked_at)
    if signal is not None:
        signal._listeners.append(lambda event: future.done() or future.set_exception(value.JsException("The operation was aborted", "AbortError")))
    try:
        if timeout is None:
            payload = await future
        else:
            import asyncio

            payload = await asyncio.wait_for(future, timeout)
    except BaseException:
        net_operations.cancel(ident)
        if upload is not None:
            upload.cancel()
        raise
    return Response._answered(Answer(payload))


def fetch_failure(payload):
    """Why a fetch failed: an OSError where the network is the reason."""
    failure = net_operations.Failure(payload)
    if failure.code or failure.name == "TypeError":
        return failure.exception()
    return stub.failure(payload)


# ---- values


def write_blob(e, o, depth):
    if not e.again(o):
        e.tagged(BLOB, [o.type, o._data], depth)


def write_file(e, o, depth):
    if not e.again(o):
        e.tagged(FILE, [o.type, o._data, o.name, o.last_modified], depth)


def flat(headers):
    return [item for pair in headers._list for item in pair]


def write_headers(e, o, depth):
    if not e.again(o):
        e.tagged(HEADERS, flat(o), depth)


def write_request(e, o, depth):
    if not e.again(o):
        more = value.Object(redirect=o.redirect)
        if o.cf:
            more["cf"] = o.cf
        e.tagged(REQUEST, [o.method, o.url, flat(o.headers), o._give(), more], depth)


def write_response(e, o, depth):
    if not e.again(o):
        e.tagged(RESPONSE, [o.status, o.status_text, flat(o.headers), o._give(), value.Object(url=o.url)], depth)


def write_readable(e, o, depth):
    if e.again(o):
        return
    e.object(0xC0, stub.READABLE)
    if isinstance(o, ReadableStream):
        if handle := o._take():
            e.head(0, e.capability(stub.BODY, handle))
            return
    handle = int.from_bytes(host.call(op.PIPE_OPEN)[:4], "little")
    e.head(0, e.capability(stub.READABLE_KIND, handle))

    def begin():
        event = worker_loop.current.get()
        event.wait()
        task = worker_loop.worker.create_task(write_stream(handle, o))

        def over(task):
            stub.looked_at(task)
            event.done()

        task.add_done_callback(over)

    stub._given.append((begin, lambda: net_operations.cancel_body(handle)))


def read_pairs(items):
    return make_headers([(str(items[i]).lower(), str(items[i + 1])) for i in range(0, len(items) - 1, 2)])


def read_file(content, d):
    return File([content[1]], str(content[2]), str(content[0]), content[3] or 0)


def read_request(content, d):
    method, url, headers, body, more = content
    made = Request.__new__(Request)
    made.method, made.url, made.headers, made._content = str(method), str(url), read_pairs(headers), body
    made.redirect, made._cf, made._signal = more.get("redirect") or "follow", more.get("cf"), None
    return made


def read_response(content, d):
    status, text, headers, body, more = content
    made = Response.__new__(Response)
    made.status, made.status_text, made.headers, made._content = int(status), str(text), read_pairs(headers), body
    made.url = str(more.get("url") or "")
    return made


def read_signal(content, d):
    signal = AbortSignal()
    if content[0]:
        signal.abort(content[1])
    elif content[2] is not None:
        handle = stub.capability(content[2], d)[1]

        def read(ok, payload):
            if not ok:
                return
            r = codec.Reader(payload)
            if r.u8():
                return
            data = r.bytes()
            signal.abort(value.read(len(data).to_bytes(4, "little") + data + bytes(4), 0))

        net_operations.start(op.BODY_READ, encode_read(handle), read)
    return signal


value.writers.update({
    Blob: write_blob, File: write_file, Headers: write_headers, Request: write_request, Response: write_response,
    ReadableStream: write_readable, "stream": write_readable,
})
value.readers.update({
    BLOB: lambda content, d: Blob([content[1]], str(content[0])), FILE: read_file, HEADERS: lambda content, d: read_pairs(content),
    REQUEST: read_request, RESPONSE: read_response, stub.SIGNAL: read_signal,
    stub.READABLE: lambda content, d: ReadableStream(stub.capability(content, d)[1]),
    stub.WRITABLE: lambda content, d: WritableStream(stub.capability(content, d)[1]),
})

NAMES = {
    "Request": Request, "Response": Response, "Headers": Headers, "FormData": FormData, "Blob": Blob, "File": File,
    "FetchResponse": Response, "ReadableStream": ReadableStream, "WritableStream": WritableStream,
}
