"""How requests, responses and what they are made of go as values."""

from . import codec, host, net_operations, op, stub, value, value_decoder, worker_loop
from .net_peer import encode_read
from .value_decoder import Malformed, buffer, text
from .web import AbortSignal, Request, Response
from .web_body import ReadableStream, WritableStream, write_stream
from .web_form import Blob, File
from .web_headers import Headers, make_headers

BLOB, FILE, HEADERS, REQUEST, RESPONSE = 60020, 60021, 60022, 60023, 60024


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
    return make_headers([(text(items[i]).lower(), text(items[i + 1])) for i in range(0, len(items) - 1, 2)])


def checked_body(body):
    if body is not None and not isinstance(body, (bytes, ReadableStream)):
        raise Malformed("a body is neither bytes nor a stream")
    return body


def read_file(content, d):
    return File([buffer(content[1])], text(content[2]), text(content[0]), content[3] or 0)


def read_request(content, d):
    method, url, headers, body, more = content
    made = Request.__new__(Request)
    made.method, made.url, made.headers, made._content = text(method), text(url), read_pairs(headers), checked_body(body)
    made.redirect, made._cf, made._signal = text(more.get("redirect")) or "follow", more.get("cf"), None
    return made


def read_response(content, d):
    status, reason, headers, body, more = content
    made = Response.__new__(Response)
    made.status, made.status_text, made.headers, made._content = int(status), text(reason), read_pairs(headers), checked_body(body)
    made.url = text(more.get("url"))
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
            try:
                reason = value_decoder.read(len(data).to_bytes(4, "little") + data + bytes(4), 0)
            except TypeError:
                reason = None  # who aborts may write anything
            signal.abort(reason)

        net_operations.start(op.BODY_READ, encode_read(handle), read)
    return signal


value.writers.update({
    Blob: write_blob, File: write_file, Headers: write_headers, Request: write_request, Response: write_response,
    ReadableStream: write_readable, "stream": write_readable,
})
value_decoder.readers.update({
    BLOB: lambda content, d: Blob([buffer(content[1])], text(content[0])), FILE: read_file, HEADERS: lambda content, d: read_pairs(content),
    REQUEST: read_request, RESPONSE: read_response, stub.SIGNAL: read_signal,
    stub.READABLE: lambda content, d: ReadableStream(stub.capability(content, d)[1]),
    stub.WRITABLE: lambda content, d: WritableStream(stub.capability(content, d)[1]),
})
