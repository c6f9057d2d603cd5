"""ASGI applications (https://asgi.readthedocs.io/, HTTP and lifespan) as handlers
of a worker: return await asgi.fetch(app, request, env, ctx).

Other threads are none: what a framework gives to one runs in place.
"""

import asyncio
import sys
from urllib.parse import unquote_to_bytes, urlsplit

from . import web, web_headers


async def in_place(function, *args, **options):
    return function(*args)


def no_threads():
    """Has anyio, by which Starlette and FastAPI run what is not async, run it in
    place."""
    module = sys.modules.get("anyio.to_thread")
    if module is not None and module.run_sync is not in_place:
        module.run_sync = in_place


def scope_of(request, env):
    parts = urlsplit(request.url)
    path = parts.path.encode()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = request.headers.get("cf-connecting-ip")
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": request.method, "scheme": parts.scheme,
        "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path, "query_string": parts.query.encode(), "root_path": "",
        "headers": [(name.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for name, v in request.headers.raw_items()],
        "client": (address, 0) if address else None, "server": (parts.hostname, port), "state": {}, "env": env,
    }


class Lifespan:
    """The start and the end of an application, of which each request has one."""

    def __init__(self, app, state):
        self.queue = asyncio.Queue()
        self.started, self.stopped = asyncio.Event(), asyncio.Event()
        self.failure = None
        self.task = asyncio.create_task(self.run(app, state))

    async def run(self, app, state):
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}, self.queue.get, self.send)
        except Exception:
            pass  # it knows of none: then there is none
        finally:
            self.started.set()
            self.stopped.set()

    async def send(self, message):
        match message["type"]:
            case "lifespan.startup.complete":
                self.started.set()
            case "lifespan.startup.failed":
                self.failure = message.get("message") or "the application did not start"
                self.started.set()
            case "lifespan.shutdown.complete" | "lifespan.shutdown.failed":
                self.stopped.set()

    async def start(self):
        self.queue.put_nowait({"type": "lifespan.startup"})
        await self.started.wait()
        if self.failure is not None:
            raise RuntimeError(self.failure)

    async def stop(self):
        self.queue.put_nowait({"type": "lifespan.shutdown"})
        await self.stopped.wait()
        self.task.cancel()


async def fetch(app, request, env=None, ctx=None):
    """Answers a request by an application."""
    no_threads()
    scope = scope_of(request, env)
    lifespan = Lifespan(app, scope["state"])
    await lifespan.start()
    chunks = request.__aiter__()
    sent = asyncio.Queue(1)
    begun = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def receive():
        nonlocal chunks
        if chunks is not None:
            try:
                return {"type": "http.request", "body": bytes(await anext(chunks)), "more_body": True}
            except StopAsyncIteration:
                chunks = None
                return {"type": "http.request", "body": b"", "more_body": False}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            if not begun.done():
                begun.set_result(message)
        elif message["type"] == "http.response.body":
            more = message.get("more_body", False)
            await sent.put((message.get("body", b""), more))
            if not more:
                over.set()

    async def run():
        try:
            await app(scope, receive, send)
            if not begun.done():
                raise RuntimeError("the application did not answer")
        except BaseException as error:
            if begun.done():
                await sent.put((error, False))
            else:
                begun.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            over.set()

    task = asyncio.create_task(run())
    try:
        head = await begun
    except BaseException:
        task.cancel()
        await lifespan.stop()
        raise
    chunk, more = await sent.get()
    if isinstance(chunk, BaseException):
        await lifespan.stop()
        raise chunk
    headers = web_headers.Headers([(name.decode("latin-1"), v.decode("latin-1")) for name, v in head.get("headers", ())])
    status = head["status"]
    if not more:
        await task
        await lifespan.stop()
        return web.Response(None if status in (204, 205, 304) else bytes(chunk), status=status, headers=headers)

    async def body():
        first, goes_on = chunk, more
        while True:
            if isinstance(first, BaseException):
                raise first
            yield first
            if not goes_on:
                break
            first, goes_on = await sent.get()
        await task
        await lifespan.stop()

    return web.Response(body(), status=status, headers=headers)


def env(request):
    """The env of a request of an application: Depends(asgi.env) of FastAPI gives it."""
    return request.scope["env"]
