"""The far end of a program's connection.

A program, or the library that it uses, writes HTTP/1.1 to what it takes for a
socket. The peer reads that, has the host send the request under its network
policy, and writes the answer as HTTP/1.1 (RFC 9112). TLS is the host's as well:
what passes for its records here only says that it is wanted (net_ssl).
"""

import errno
import re
from http import HTTPStatus

from . import codec, op
from . import net_operations as operations

ONLY_HTTP = (
    "the sandbox has no raw sockets: only HTTP and HTTPS requests leave it, under its network policy; "
    "use urllib.request, http.client, requests, httpx or await fetch(url)"
)

_MAX_HEAD = 256 << 10
_MAX_WHOLE = 32 << 20  # of a request body that is sent with its length
_AHEAD = 64 << 10  # of a response body that is read before the program asks
_CONGESTED = 256 << 10  # of a request body that waits to be sent

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S{1,65536}) HTTP/1\.([01])\r?\n?")
_METHOD_START = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{0,32}( |$)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")

_NO_BODY = frozenset((204, 205, 304))
_OF_THE_CONNECTION = frozenset(("connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection", "trailer"))
_SPELLINGS = {
    "etag": "ETag", "te": "TE", "dnt": "DNT", "www-authenticate": "WWW-Authenticate", "content-md5": "Content-MD5",
    "x-xss-protection": "X-XSS-Protection", "x-ua-compatible": "X-UA-Compatible", "sec-websocket-accept": "Sec-WebSocket-Accept",
}


def spelling(name):
    """A header's name as servers usually write it."""
    return _SPELLINGS.get(name) or "-".join(part.capitalize() for part in name.split("-"))


def encode_fetch(method, url, headers, redirect, kind, body=b""):
    """The fetch operation's message."""
    w = codec.Writer()
    w.str(method)
    w.str(url)
    w.u32(len(headers))
    for name, value in headers:
        w.str(name)
        w.str(value)
    w.u8(redirect)
    w.u8(kind)
    w.bytes(body)
    return w.done()


class Answer:
    """The fetch operation's answer."""

    __slots__ = ("status", "reason", "url", "redirected", "headers", "kind", "body", "handle")

    def __init__(self, payload):
        r = codec.Reader(payload)
        self.status = r.u32()
        self.reason = r.str()
        self.url = r.str()
        self.redirected = r.u8() != 0
        self.headers = [(r.str(), r.str()) for _ in range(r.u32())]
        self.kind = r.u8()
        self.body = r.bytes()
        self.handle = r.u32()


def encode_write(id, end, data=b""):
    """The body_write operation's message."""
    w = codec.Writer()
    w.u32(id)
    w.u8(end)
    w.bytes(data)
    return w.done()


def encode_read(handle):
    """The body_read operation's message."""
    w = codec.Writer()
    w.u32(handle)
    return w.done()


def url_host(name):
    return f"[{name}]" if ":" in name else name


class Peer:
    """One connection's far end. changed() is called whenever there may be more to
    read or room to write."""

    def __init__(self, host, port, changed):
        self.host, self.port = host, port
        self.tls = False
        self.changed = changed
        self.inbox = bytearray()  # what the program may read
        self.ended = False  # nothing comes after the inbox
        self.failure = None  # an exception: it comes after the inbox
        self._outbox = bytearray()  # what the program wrote and is not yet understood
        self._operations = set()
        self._handle = 0  # of the response's body that is being read
        self._answering = False
        self._reading = False  # a body_read is under way
        self._writing = False  # a body_write is under way
        self._upload_over = False
        self._closed = False
        self._conversation = self._converse()

    # The program's side.

    def connect(self, tls, done):
        """Has the host make the connection: done(None) or done(exception)."""
        w = codec.Writer()
        w.u8(1 if tls else 0)
        w.str(self.host)
        w.u32(self.port)

        def settled(ok, payload):
            if ok:
                self.tls = tls
                done(None)
            else:
                done(operations.Failure(payload).exception())

        self._start(op.CONNECT, w.done(), settled)

    def write(self, data):
        """Takes what the program writes. It raises OSError if that is not HTTP."""
        if self._closed or self.ended:
            raise BrokenPipeError(errno.EPIPE, "the connection is closed")
        self._outbox += data
        self._proceed()
        if self.failure is not None and not self.inbox:
            raise self.failure

    @property
    def congested(self):
        """Is there so much of a request's body that the program should wait?"""
        return self._writing and len(self._outbox) > _CONGESTED

    @property
    def unsent(self):
        """How many bytes wait to be sent."""
        return len(self._outbox)

    @property
    def readable(self):
        return bool(self.inbox) or self.ended or self.failure is not None

    @property
    def idle(self):
        """Will nothing come unless the program writes?"""
        return not self._operations

    def take(self, size):
        """Up to so many bytes of what came; none at the end. It raises what the
        connection failed with."""
        if not self.inbox and self.failure is not None:
            raise self.failure
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        self._read_ahead()
        return data

    def close(self):
        """Gives the connection up, with what is under way."""
        if self._closed:
            return
        self._closed = self.ended = True
        for id in self._operations:
            operations.cancel(id)
        self._operations.clear()
        if self._handle:
            operations.cancel_body(self._handle)
            self._handle = 0

    # Requests.

    def _start(self, operation, payload, done):
        def settled(ok, payload):
            self._operations.discard(id)
            if not self._closed:
                done(ok, payload)
                self.changed()

        id = operations.start(operation, payload, settled)
        self._operations.add(id)
        return id

    def _proceed(self):
        if self._conversation.gi_running:  # its own step answered at once
            return
        try:
            next(self._conversation)
        except StopIteration:
            pass
        except OSError as error:
            self._fail(error)

    def _fail(self, error):
        self.failure = error
        self._conversation.close()
        self._outbox.clear()

    def _more(self, size):
        """Waits for so many bytes."""
        while len(self._outbox) < size:
            yield

    def _line(self, limit, what):
        """Waits for a line, and takes it."""
        start = 0
        while (end := self._outbox.find(b"\n", start)) < 0:
            if len(self._outbox) > limit:
                raise OSError(errno.EMSGSIZE, f"the request's {what} is too long")
            start = len(self._outbox)
            yield
        line = bytes(self._outbox[:end])
        del self._outbox[:end + 1]
        return line.removesuffix(b"\r")

    def _converse(self):
        """Reads requests, one after the other; it is resumed when there is news."""
        while True:
            yield from self._more(1)
            if self._outbox[0] == 0x16:
                yield from self._handshake()
                continue
            method, target, version, fields = yield from self._head()
            url, headers, length, chunked, keep = self._request(method, target, version, fields)
            if fields.get("expect", "").lower() == "100-continue":
                self.inbox += b"HTTP/1.1 100 Continue\r\n\r\n"
            self._answering, self._upload_over = True, False
            if chunked or length is not None and length > _MAX_WHOLE:
                id = self._fetch(method, url, headers, 2, b"", version, keep)
                yield from self._upload(id, length)
            elif length is not None:
                yield from self._more(length)
                body = bytes(self._outbox[:length])
                del self._outbox[:length]
                bodiless = not body and method in ("GET", "HEAD")
                self._fetch(method, url, headers, 0 if bodiless else 1, body, version, keep)
                del body
            else:
                self._fetch(method, url, headers, 0, b"", version, keep)
            while self._answering:
                yield

    def _head(self):
        """A request's head: method, target, minor version, and the headers, the
        latest of each name; those to send are kept in order in self._headers."""
        while self._outbox[:1] in (b"\r", b"\n"):
            del self._outbox[:1]
            yield from self._more(1)
        while not (b"\n" in self._outbox[:34] or len(self._outbox) >= 34):
            if not _METHOD_START.match(self._outbox):
                break
            yield
        if not _METHOD_START.match(self._outbox[:34]):
            raise OSError(errno.EPROTONOSUPPORT, ONLY_HTTP)
        line = yield from self._line(_MAX_HEAD, "first line")
        match = _REQUEST_LINE.fullmatch(line)
        if not match:
            if line.startswith(b"PRI * HTTP/2"):
                raise OSError(errno.EPROTONOSUPPORT, "connections of the sandbox speak HTTP/1.1 to the program; the host chooses HTTP/2 by itself")
            raise OSError(errno.EPROTONOSUPPORT, ONLY_HTTP)
        size, self._headers, fields = 0, [], {}
        while field := (yield from self._line(_MAX_HEAD, "header")):
            size += len(field)
            if size > _MAX_HEAD:
                raise OSError(errno.EMSGSIZE, "the request's headers are too long")
            parts = _FIELD.fullmatch(field)
            if not parts:
                raise OSError(errno.EPROTO, f"the request has a malformed header: {field[:80]!r}")
            name, value = parts[1].decode("ascii"), parts[2].decode("latin-1")
            self._headers.append((name, value))
            fields[name.lower()] = value
        return match[1].decode("ascii"), match[2].decode("latin-1"), int(match[3]), fields

    def _request(self, method, target, version, fields):
        """What a head asks for: URL, headers, the body's length or None, whether it
        is chunked, and whether the connection is kept."""
        if method == "CONNECT" or not target.startswith("/") and target != "*":
            raise OSError(errno.EPROTONOSUPPORT, "the sandbox uses no proxies: its host sends requests; unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or pass no proxies")
        if "websocket" in fields.get("upgrade", "").lower():
            raise OSError(errno.EPROTONOSUPPORT, "the sandbox has no WebSockets: only HTTP and HTTPS requests leave it")
        chunked = "transfer-encoding" in fields
        if chunked and fields["transfer-encoding"].lower() != "chunked":
            raise OSError(errno.EPROTO, "the request's body has a transfer coding other than chunked")
        length = None
        if not chunked and "content-length" in fields:
            text = fields["content-length"]
            if not (text.isascii() and text.isdigit() and len(text) < 16):
                raise OSError(errno.EPROTO, f"the request's Content-Length is {text!r}")
            length = int(text)
        options = fields.get("connection", "").lower()
        keep = "close" not in options and (version == 1 or "keep-alive" in options)
        scheme, usual = ("https", 443) if self.tls else ("http", 80)
        port = "" if self.port == usual else f":{self.port}"
        url = f"{scheme}://{url_host(self.host)}{port}{'/' if target == '*' else target}"
        headers = [(name, value) for name, value in self._headers if name.lower() not in _OF_THE_CONNECTION]
        return url, headers, length, chunked, keep

    def _fetch(self, method, url, headers, kind, body, version, keep):
        def settled(ok, payload):
            self._upload_over = True
            if ok:
                self._answer(Answer(payload), method, version, keep)
            else:
                self._fail(operations.Failure(payload).exception())

        return self._start(op.FETCH, encode_fetch(method, url, headers, 1, kind, body), settled)

    def _upload(self, id, length):
        """Sends a request's body as the program writes it."""
        if length is None:
            while size := (yield from self._chunk_size()):
                yield from self._send(id, size)
                if (yield from self._line(16, "chunk")):
                    raise OSError(errno.EPROTO, "a chunk of the request's body has no end")
            while (yield from self._line(_MAX_HEAD, "trailer")):
                pass
        else:
            yield from self._send(id, length)
        yield from self._write(id, 1, b"")

    def _chunk_size(self):
        line = yield from self._line(4096, "chunk")
        text = line.split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", text):
            raise OSError(errno.EPROTO, "the request's body is not in chunks")
        return int(text, 16)

    def _send(self, id, size):
        while size:
            yield from self._more(1)
            part = bytes(self._outbox[:min(size, 64 << 10)])
            del self._outbox[:len(part)]
            size -= len(part)
            yield from self._write(id, 0, part)

    def _write(self, id, end, data):
        if self._upload_over:  # the server has answered, and wants no more
            return

        def settled(ok, payload):
            self._writing = False
            self._upload_over = self._upload_over or not ok
            self._proceed()

        self._writing = True
        self._start(op.BODY_WRITE, encode_write(id, end, data), settled)
        while self._writing:
            yield

    # TLS.

    def _handshake(self):
        """Answers what net_ssl says in place of a client's hello."""
        yield from self._more(5)
        size = int.from_bytes(self._outbox[3:5])
        yield from self._more(5 + size)
        hello = bytes(self._outbox[5:5 + size])
        del self._outbox[:5 + size]
        name = hello.removeprefix(HELLO)
        if name is hello or self.tls:
            raise OSError(errno.EPROTONOSUPPORT, ONLY_HTTP)
        outcome = []
        self.secure(name.decode("utf-8"), lambda error: (outcome.append(error), self._proceed()))
        while not outcome:
            yield
        if outcome[0] is None:
            self.inbox += record(0x16, b"")
        else:
            self.inbox += record(0x15, alert(outcome[0]))
            self.ended = True

    def secure(self, name, done):
        """Has the host do the TLS handshake: done(None) or done(exception)."""
        import ssl

        if name and name.rstrip(".").lower() != self.host.rstrip(".").lower():
            done(ssl.SSLError(1, f"the connection is to {self.host}, and its certificate can't be checked for {name}: the host verifies it for the name that is connected to"))
            return
        self.connect(True, done)

    # Responses.

    def _answer(self, answer, method, version, keep):
        status = answer.status
        reason = answer.reason
        if not reason:
            try:
                reason = HTTPStatus(status).phrase
            except ValueError:
                pass
        head = [f"HTTP/1.1 {status} {reason}"]
        length = None
        for name, value in answer.headers:
            if name == "content-length":
                length = value
            elif name not in _OF_THE_CONNECTION:
                head.append(f"{spelling(name)}: {value}")
        bodiless = method == "HEAD" or status in _NO_BODY
        chunked = False
        if bodiless:
            if length is not None:
                head.append(f"Content-Length: {length}")
        elif answer.kind != 2:
            head.append(f"Content-Length: {len(answer.body)}")
        elif length is not None:
            head.append(f"Content-Length: {length}")
        elif version == 1:
            chunked = True
            head.append("Transfer-Encoding: chunked")
        else:
            keep = False
        if not keep:
            head.append("Connection: close")
        self.inbox += ("\r\n".join(head) + "\r\n\r\n").encode("latin-1", "replace")
        if not bodiless and answer.kind != 2:
            self.inbox += answer.body
        if answer.kind == 2:
            self._handle, self._chunked, self._keep = answer.handle, chunked, keep
            self._read_ahead()
        else:
            self._answered(keep)

    def _read_ahead(self):
        if not self._handle or self._reading or len(self.inbox) >= _AHEAD:
            return

        def settled(ok, payload):
            self._reading = False
            if not ok:
                self._handle = 0
                self._fail(operations.Failure(payload).exception())
                return
            r = codec.Reader(payload)
            if r.u8():
                self._handle = 0
                if self._chunked:
                    self.inbox += b"0\r\n\r\n"
                self._answered(self._keep)
                return
            data = r.bytes()
            if self._chunked:
                self.inbox += b"%x\r\n%b\r\n" % (len(data), data)
            else:
                self.inbox += data
            self._read_ahead()

        self._reading = True
        self._start(op.BODY_READ, encode_read(self._handle), settled)

    def _answered(self, keep):
        self._answering = False
        if not keep:
            self.ended = True
            self._conversation.close()
        else:
            self._proceed()


HELLO = b"mayfly "

_alerts = {}  # exceptions on their way to a TLS object, by number


def alert(error):
    """Names an exception in a record."""
    number = len(_alerts) + 1
    while number in _alerts:
        number += 1
    _alerts[number] = error
    return number.to_bytes(4)


def alerted(content):
    """The exception that a record names."""
    return _alerts.pop(int.from_bytes(content), None) or ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")



def record(kind, content):
    """What passes for a TLS record."""
    return bytes((kind, 3, 3)) + len(content).to_bytes(2) + content
