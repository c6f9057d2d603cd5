"""The binding r2_bucket: the R2 Workers API, as Python has it."""

import datetime
import io
import json
import math

from . import codec
from .binding import Fields, R2Error, content_of, failure, makers, operation, options_of, perform, snake

HEAD, GET, PUT, DELETE, LIST, CREATE, PART, COMPLETE, ABORT = range(1, 10)

HTTP = ("content_type", "content_language", "content_disposition", "content_encoding", "cache_control")
DIGESTS = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}


def _fail(action):
    return lambda payload: failure(payload, R2Error, action)


def _time(value):
    """Milliseconds of a datetime, or of a number of seconds; NaN for none."""
    if value is None:
        return math.nan
    if isinstance(value, (int, float)):
        return value * 1000.0
    return math.floor(value.timestamp() * 1000 + 0.5)


def _moment(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)


def _http(w, value):
    fields = {snake(name): v for name, v in (value or {}).items()}
    for name in fields:
        if name not in HTTP and name != "cache_expiry":
            raise TypeError(f"http_metadata has no {name}")
    for name in HTTP:
        w.str(fields.get(name) or "")
    w.f64(_time(fields.get("cache_expiry")))


def _custom(w, value):
    value = value or {}
    w.u32(len(value))
    for name, v in value.items():
        w.str(str(name))
        w.str(str(v))


def _condition(w, value):
    o = options_of(value, {}, ("etag_matches", "etag_does_not_match", "uploaded_before", "uploaded_after", "seconds_granularity"), "only_if")
    lists = []
    for name in ("etag_matches", "etag_does_not_match"):
        tag = o.get(name)
        if tag is not None and tag.startswith('"') and tag.endswith('"'):
            raise TypeError(f"Conditional ETag should not be wrapped in quotes ({tag}).")
        lists.append([] if tag is None else [tag if tag == "*" else f'"{tag}"'])
    w.u8((1 if lists[0] else 0) | (2 if lists[1] else 0) | (4 if o.get("seconds_granularity") else 0))
    for tags in lists:
        w.u32(len(tags))
        for tag in tags:
            w.str(tag)
    w.f64(_time(o.get("uploaded_before")))
    w.f64(_time(o.get("uploaded_after")))


def _range(w, value):
    o = options_of(value, {}, ("offset", "length", "suffix"), "range")
    for name in ("offset", "length", "suffix"):
        w.f64(math.nan if o.get(name) is None else float(o[name]))
    w.str("")


def _digest(w, options):
    given = [name for name in DIGESTS if options.get(name) is not None]
    if len(given) > 1:
        raise TypeError("You cannot specify multiple hashing algorithms.")
    if not given:
        w.str("").bytes(b"")
        return
    value = options[given[0]]
    w.str(given[0]).bytes(bytes.fromhex(value) if isinstance(value, str) else bytes(value))


class Checksums(Fields):
    """Digests as bytes; to_json() has them in hexadecimal."""

    def to_json(self):
        return {name: digest.hex() for name, digest in self.items()}

    toJSON = to_json


class R2Object:
    """What is known of an object. Names of JavaScript (httpMetadata) work too."""

    def __init__(self, r):
        self.key, self.version, self.size, self.etag = r.str(), r.str(), int(r.f64()), r.str()
        self.http_etag = f'"{self.etag}"'
        self.uploaded = _moment(r.f64())
        self.storage_class = r.str()
        flags = r.u8()
        http = Fields({name: value for name in HTTP if (value := r.str())})
        expiry = r.f64()
        if not math.isnan(expiry):
            http["cache_expiry"] = _moment(expiry)
        custom = {}
        for _ in range(r.u32()):
            name = r.str()
            custom[name] = r.str()
        offset, length = r.f64(), r.f64()
        self.checksums = Checksums()
        for _ in range(r.u32()):
            name = r.str()
            self.checksums[name] = r.bytes()
        self.http_metadata = http if flags & 1 else None
        self.custom_metadata = custom if flags & 2 else None
        self.range = Fields(offset=int(offset), length=int(length)) if flags & 4 else None

    def __getattr__(self, name):
        plain = snake(name)
        if plain != name and plain in self.__dict__:
            return self.__dict__[plain]
        raise AttributeError(f"an R2 object has no {name}")

    def write_http_metadata(self, headers):
        """Adds what HTTP clients are to be told to a mapping of headers."""
        if self.http_metadata is None:
            raise TypeError(f"HTTP metadata unknown for key `{self.key}`. Did you forget to add 'httpMetadata' to `include` when listing?")
        for name, value in self.http_metadata.items():
            if name == "cache_expiry":
                headers["Expires"] = value.strftime("%a, %d %b %Y %H:%M:%S GMT")
            else:
                headers[name.replace("_", "-").title()] = value

    writeHttpMetadata = write_http_metadata

    def __repr__(self):
        return f"<{type(self).__name__} {self.key!r} {self.size} bytes>"


class R2ObjectBody(R2Object, io.RawIOBase):
    """An object with its content: text(), json(), bytes(), or as a file that is
    read once (pandas.read_csv(obj), for line in obj)."""

    def __init__(self, r, body):
        io.RawIOBase.__init__(self)
        R2Object.__init__(self, r)
        self._body, self._rest, self._used = body, b"", False

    @property
    def body(self):
        return self

    @property
    def body_used(self):
        return self._used

    def _whole(self, convert):
        if self._used:
            raise TypeError("Body has already been used. It can only be used once.")
        self._used = True

        def steps():
            return convert((yield from self._body.all()))

        return perform(steps())

    def bytes(self):
        return self._whole(lambda data: data)

    array_buffer = bytes

    def text(self):
        return self._whole(lambda data: data.decode("utf-8", "replace"))

    def json(self):
        return self._whole(json.loads)

    def readable(self):
        return True

    def readinto(self, buffer):
        self._used = True
        if not self._rest:
            from .binding import Later

            self._rest = memoryview(Later(self._body.chunk()).wait())
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def close(self):
        if not self.closed:
            self._body.close()
        super().close()

    def __hash__(self):
        return id(self)


class R2MultipartUpload:
    """An upload in parts: upload_part(number, value), then complete(parts)."""

    def __init__(self, reference, key, upload_id):
        self._reference, self.key, self.upload_id = reference, key, upload_id
        self.uploadId = upload_id

    def _writer(self):
        return codec.Writer().str(self.key).str(self.upload_id)

    def upload_part(self, part_number, value):
        if not 1 <= part_number <= 10000:
            raise TypeError(f"Part number must be between 1 and 10000 (inclusive). Actual value was: {part_number}")
        content = content_of(value)

        def steps():
            answer, _ = yield from operation(self._reference, PART, self._writer().u32(part_number).done(), content, _fail("uploadPart"))
            return Fields(part_number=part_number, etag=answer.str())

        return perform(steps())

    uploadPart = upload_part

    def complete(self, parts):
        w = self._writer().u32(len(parts))
        for part in parts:
            fields = {snake(name): value for name, value in part.items()}
            w.u32(fields["part_number"]).str(fields["etag"])

        def steps():
            answer, _ = yield from operation(self._reference, COMPLETE, w.done(), None, _fail("completeMultipartUpload"))
            return R2Object(answer)

        return perform(steps())

    def abort(self):
        def steps():
            yield from operation(self._reference, ABORT, self._writer().done(), None, _fail("abortMultipartUpload"))

        return perform(steps())


class R2Objects:
    """A page of a list."""

    def __init__(self, objects, cursor, prefixes):
        self.objects, self.truncated, self.cursor, self.delimited_prefixes = objects, bool(cursor), cursor or None, prefixes
        self.delimitedPrefixes = prefixes

    def __repr__(self):
        return f"<R2 list of {len(self.objects)} objects{' and more' if self.truncated else ''}>"


class R2Bucket:
    """A bucket of objects."""

    def __init__(self, reference):
        self._reference = reference

    def __repr__(self):
        return f"<R2Bucket {self._reference.name}>"

    def head(self, key):
        """What is known of an object, or None."""
        def steps():
            answer, _ = yield from operation(self._reference, HEAD, codec.Writer().str(key).done(), None, _fail("head"))
            return R2Object(answer) if answer.u8() else None

        return perform(steps())

    def get(self, key, options=None, **named):
        """An object with its content, or None. Options: range (offset, length,
        suffix), only_if (etag_matches, etag_does_not_match, uploaded_before,
        uploaded_after): where that does not hold, the object has no content."""
        o = options_of(options, named, ("range", "only_if"), "get")
        w = codec.Writer().str(key)
        _condition(w, o.get("only_if"))
        _range(w, o.get("range"))

        def steps():
            answer, body = yield from operation(self._reference, GET, w.done(), None, _fail("get"))
            state = answer.u8()
            if state == 0:
                return None
            return R2ObjectBody(answer, body) if state == 1 else R2Object(answer)

        return perform(steps())

    def put(self, key, value, options=None, **named):
        """Stores text, bytes, a file, an iterable of bytes or None, and gives what
        is known of it: None where only_if does not hold. Options: http_metadata,
        custom_metadata, only_if, md5, sha1, sha256, sha384, sha512 (bytes or
        hexadecimal), storage_class."""
        o = options_of(options, named, ("http_metadata", "custom_metadata", "only_if", "storage_class", *DIGESTS), "put")
        w = codec.Writer().str(key)
        _condition(w, o.get("only_if"))
        _http(w, o.get("http_metadata"))
        _custom(w, o.get("custom_metadata"))
        _digest(w, o)
        w.str(o.get("storage_class") or "")
        content = b"" if value is None else content_of(value)

        def steps():
            answer, _ = yield from operation(self._reference, PUT, w.done(), content, _fail("put"))
            return R2Object(answer) if answer.u8() else None

        return perform(steps())

    def delete(self, keys):
        """Removes an object, or up to 1,000."""
        keys = [keys] if isinstance(keys, str) else list(keys)
        w = codec.Writer().u32(len(keys))
        for key in keys:
            w.str(key)

        def steps():
            yield from operation(self._reference, DELETE, w.done(), None, _fail("delete"))

        return perform(steps())

    def list(self, options=None, **named):
        """A page of objects: objects, truncated, cursor, delimited_prefixes.
        Options: limit, prefix, cursor, delimiter, start_after, include
        (["httpMetadata", "customMetadata"])."""
        o = options_of(options, named, ("limit", "prefix", "cursor", "delimiter", "start_after", "include"), "list")
        flags = 0
        for name in o.get("include") or ():
            match snake(name):
                case "http_metadata":
                    flags |= 1
                case "custom_metadata":
                    flags |= 2
                case _:
                    raise ValueError(f"Unsupported include value {name}")
        w = codec.Writer().f64(math.nan if o.get("limit") is None else float(o["limit"]))
        for name in ("prefix", "cursor", "delimiter", "start_after"):
            w.str(o.get(name) or "")
        w.u8(flags)

        def steps():
            answer, _ = yield from operation(self._reference, LIST, w.done(), None, _fail("list"))
            cursor = answer.str()
            objects = [R2Object(answer) for _ in range(answer.u32())]
            return R2Objects(objects, cursor, [answer.str() for _ in range(answer.u32())])

        return perform(steps())

    def create_multipart_upload(self, key, options=None, **named):
        o = options_of(options, named, ("http_metadata", "custom_metadata", "storage_class"), "create_multipart_upload")
        w = codec.Writer().str(key)
        _http(w, o.get("http_metadata"))
        _custom(w, o.get("custom_metadata"))
        w.str(o.get("storage_class") or "")

        def steps():
            answer, _ = yield from operation(self._reference, CREATE, w.done(), None, _fail("createMultipartUpload"))
            return R2MultipartUpload(self._reference, key, answer.str())

        return perform(steps())

    createMultipartUpload = create_multipart_upload

    def resume_multipart_upload(self, key, upload_id):
        return R2MultipartUpload(self._reference, key, upload_id)

    resumeMultipartUpload = resume_multipart_upload


makers["r2_bucket"] = lambda reference, value: R2Bucket(reference)
