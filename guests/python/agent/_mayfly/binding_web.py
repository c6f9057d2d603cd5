"""The bindings fetcher (a way to the network with rules of its own) and assets
(static files): both have fetch."""

import json
from urllib.parse import urljoin, urlsplit

from . import codec, loop, net_fetch
from .binding import BindingError, failure, makers, operation, perform

FETCH = 1


class Fetcher:
    """await env.API.fetch(url, …) as fetch does; blocking where no event loop
    runs, for the head of the response."""

    def __init__(self, reference, base):
        self._reference, self._base = reference, base

    def __repr__(self):
        return f"<Fetcher {self._reference.name}>"

    def fetch(self, url, **options):
        if hasattr(url, "headers"):  # a Request of a worker
            options = {"method": url.method, "headers": url.headers.raw_items(), "body": url.body, "redirect": url.redirect, **options}
            url = url.url
        handle = self._reference.handle()

        def wrap(message):
            return codec.Writer().u32(handle).u8(FETCH).bytes(message).u8(0).bytes(b"").done()

        fetched = net_fetch.fetch_via(wrap, urljoin(self._base, str(url)) if self._base else url, **options)
        return loop.complete(fetched) if loop.running() is None else fetched


class AssetResponse:
    """A file, or why there is none."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self._body = status, net_fetch.Headers(headers), body
        self.ok = 200 <= status < 300

    def _whole(self, convert):
        def steps():
            return convert((yield from self._body.all()))

        return perform(steps())

    def bytes(self):
        return self._whole(lambda data: data)

    def text(self):
        return self._whole(lambda data: data.decode("utf-8", "replace"))

    def json(self):
        return self._whole(json.loads)

    def __repr__(self):
        return f"<AssetResponse {self.status}>"


class Assets:
    """Static files: env.ASSETS.fetch("/index.html")."""

    def __init__(self, reference):
        self._reference = reference

    def __repr__(self):
        return f"<Assets {self._reference.name}>"

    def fetch(self, url, *, method="GET", headers=None):
        if hasattr(url, "headers"):  # a Request of a worker
            url, method, headers = url.url, url.method, url.headers.raw_items()
        pairs = [(str(name).lower(), str(value)) for name, value in (headers.items() if hasattr(headers, "items") else headers or ())]
        w = codec.Writer().str(method).str(urlsplit(urljoin("http://assets.local/", str(url))).path).u32(len(pairs))
        for name, value in pairs:
            w.str(name).str(value)

        def steps():
            answer, body = yield from operation(self._reference, FETCH, w.done(), None, lambda payload: failure(payload, BindingError, "fetch"))
            status = answer.u32()
            return AssetResponse(status, [(answer.str(), answer.str()) for _ in range(answer.u32())], body)

        return perform(steps())


makers["fetcher"] = Fetcher
makers["assets"] = lambda reference, value: Assets(reference)
