"""Requests and responses as workers have them, and fetch.

The names are those of Workers in Python; those of JavaScript work, too, as do its
constructors: Response.new(…).
"""

import json as _json
from struct import Struct, pack
from urllib.parse import urlsplit

from . import codec, host, net_fetch, net_operations, op, stub, value, worker_loop
from .net_peer import Answer, encode_fetch
from .web_body import TEXT, Body, ReadableStream, WritableStream, body_of, write_stream
from .web_form import Blob, File, FormData
from .web_headers import TOKEN, Headers, given, make_headers

NONE, BYTES, STREAM, OF_HOST = range(4)  # kinds of bodies

_NO_BODY = frozenset((101, 204, 205, 304))
_REDIRECTS = {"follow": 0, "manual": 1, "error": 2}
_u32 = Struct("<I").unpack_from


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
    if not TOKEN(method):
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


NAMES = {
    "Request": Request, "Response": Response, "Headers": Headers, "FormData": FormData, "Blob": Blob, "File": File,
    "FetchResponse": Response, "ReadableStream": ReadableStream, "WritableStream": WritableStream,
}
