"""The binding kv_namespace: Workers KV, as Python has it."""

import json
import math

from . import codec
from .binding import Fields, KVError, content_of, failure, makers, operation, options_of, perform

GET, PUT, DELETE, LIST = 1, 2, 3, 4
WITH_METADATA, MANY = 1, 2


def _fail(action):
    return lambda payload: failure(payload, KVError, action)


def _decoded(data, type):
    match type:
        case "text":
            return data.decode("utf-8", "replace")
        case "json":
            return json.loads(data)
        case "bytes" | "arrayBuffer" | "array_buffer":
            return data
    raise TypeError(f"there is no type {type!r}: text, json and bytes")


class KVNamespace:
    """Values by key. get(key) gives text, get(key, "json") what it is as JSON, and
    get(key, "bytes") bytes; None where there is nothing."""

    def __init__(self, reference):
        self._reference = reference

    def __repr__(self):
        return f"<KVNamespace {self._reference.name}>"

    def _get(self, key, type, options, metadata):
        if isinstance(type, dict):
            type, options = None, {**type, **options}
        options = options_of(None, options, ("type", "cache_ttl"), "get")
        type = type or options.get("type") or "text"
        ttl = options.get("cache_ttl")
        if ttl is not None and ttl < 30:
            raise KVError(f"KV GET failed: 400 Invalid cache_ttl of {ttl}. Cache TTL must be at least 30.", 400, "get")
        _decoded(b"0", type)  # is there such a type?
        many = not isinstance(key, str)
        keys = list(key) if many else [key]
        w = codec.Writer().u32(len(keys))
        for name in keys:
            w.str(name)
        w.u8((WITH_METADATA if metadata else 0) | (MANY if many else 0))

        def with_metadata(value, text):
            return Fields(value=value, metadata=json.loads(text) if text else None) if metadata else value

        def one():
            answer, body = yield from operation(self._reference, GET, w.done(), None, _fail("get"))
            found, text = answer.u8(), answer.str()
            if not found:
                return with_metadata(None, "")
            return with_metadata(_decoded((yield from body.all()), type), text)

        def all():
            answer, _ = yield from operation(self._reference, GET, w.done(), None, _fail("get"))
            answer.u32()
            values = {}
            for name in keys:
                found, text, data = answer.u8(), answer.str(), answer.bytes()
                values[name] = with_metadata(_decoded(data, type) if found else None, text)
            return values

        return perform(all() if many else one())

    def get(self, key, type=None, **options):
        """The value of a key, or a dict of those of a list of keys."""
        return self._get(key, type, options, False)

    def get_with_metadata(self, key, type=None, **options):
        """The same, as an object with value and metadata."""
        return self._get(key, type, options, True)

    getWithMetadata = get_with_metadata

    def put(self, key, value, options=None, **named):
        """Stores a value: text, bytes, a file or an iterable of bytes. Options:
        expiration and expiration_ttl (seconds), metadata (any JSON)."""
        o = options_of(options, named, ("expiration", "expiration_ttl", "metadata"), "put")
        about = "" if o.get("metadata") is None else json.dumps(o["metadata"], separators=(",", ":"))
        w = codec.Writer().str(key)
        for name in ("expiration", "expiration_ttl"):
            w.f64(math.nan if o.get(name) is None else float(o[name]))
        w.str(about)
        content = content_of(value)

        def steps():
            yield from operation(self._reference, PUT, w.done(), content, _fail("put"))

        return perform(steps())

    def delete(self, key):
        """Removes a key, if it is there."""
        def steps():
            yield from operation(self._reference, DELETE, codec.Writer().str(key).done(), None, _fail("delete"))

        return perform(steps())

    def list(self, options=None, **named):
        """Keys in their order: an object with keys (each with name, expiration and
        metadata), list_complete and cursor. Options: prefix, limit, cursor."""
        o = options_of(options, named, ("prefix", "limit", "cursor"), "list")
        w = codec.Writer().f64(math.nan if o.get("limit") is None else float(o["limit"])).str(o.get("prefix") or "").str(o.get("cursor") or "")

        def steps():
            answer, _ = yield from operation(self._reference, LIST, w.done(), None, _fail("list"))
            keys = []
            for _ in range(answer.u32()):
                name, expiration, text = answer.str(), answer.f64(), answer.str()
                keys.append(Fields(name=name, expiration=None if math.isnan(expiration) else int(expiration), metadata=json.loads(text) if text else None))
            complete = answer.u8() == 1
            return _Listing(keys=keys, list_complete=complete, cursor=answer.str() or None)

        return perform(steps())


class _Listing:
    def __init__(self, **fields):
        self.__dict__.update(fields)

    def __repr__(self):
        return f"<KV list of {len(self.keys)} keys{'' if self.list_complete else ' and more'}>"


makers["kv_namespace"] = lambda reference, value: KVNamespace(reference)
