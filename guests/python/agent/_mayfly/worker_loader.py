"""The Worker Loader: env.LOADER.load(code) and env.LOADER.get(id, get_code) make
workers at run time. The host checks the code, and has the workers.

code is a dict with the names of JavaScript or of Python: compatibility_date,
compatibility_flags, main_module, modules, env, global_outbound, limits, tails. The
message of loader_provide is described in host/worker/provide.go.
"""

import inspect
import json
from struct import Struct

from . import binding, codec, errors, host, op, stub, value

KINDS = ("js", "cjs", "text", "data", "json", "py", "wasm")
LIMITS = ("cpu_ms", "sub_requests", "memory_mb", "wall_ms")
FIELDS = ("compatibility_date", "compatibility_flags", "main_module", "modules", "env", "global_outbound", "limits", "tails", "allow_experimental")
INHERIT, BLOCKED, TARGET = range(3)

_u32 = Struct("<I").pack


def capability_of(o, what):
    """The kind and handle of what has fetch."""
    if not isinstance(o, stub.Service) and not isinstance(o, stub.binding_web.Fetcher):
        raise TypeError(f"Incorrect type for {what}: the provided value is not of type 'Fetcher'.")
    e = value.Encoder()
    e.value(o)
    return e.capabilities[0]


def write_module(w, name, module):
    w.str(str(name))
    if isinstance(module, str):
        w.u8(0).str(module)
        return
    given = [kind for kind in KINDS if isinstance(module, dict) and module.get(kind) is not None]
    if len(given) != 1:
        raise TypeError(f"Each module must contain exactly one of 'js', 'cjs', 'text', 'data', 'json', 'py', or 'wasm'. Module '{name}' contained {len(given)} properties.")
    kind = given[0]
    content = module[kind]
    w.u8(KINDS.index(kind) + 1)
    if kind == "json":
        w.str(json.dumps(content))
    elif kind in ("data", "wasm"):
        w.bytes(bytes(content))
    else:
        w.str(str(content))


def write_limits(w, limits):
    """Writes limits: 0 stands for none, no subrequests at all are -1."""
    given = {} if limits is None else binding.options_of(limits, {}, LIMITS, "limits")
    for name in LIMITS:
        number = given.get(name)
        if number is None:
            w.f64(0)
            continue
        if number != int(number):
            raise TypeError("The value cannot be converted because it is not an integer.")
        if number < 0 or number == 0 and name != "sub_requests":
            raise TypeError(f"The limit {name} must be a positive number.")
        w.f64(number or -1)


def code_of(worker, code):
    """The message of a worker's code."""
    if not isinstance(code, dict):
        raise TypeError("The code of a dynamic Worker must be a dict.")
    given = binding.options_of(code, {}, FIELDS, "the code of a dynamic Worker")
    flags, modules = given.get("compatibility_flags") or [], given.get("modules")
    if not isinstance(modules, dict):
        raise TypeError("Incorrect type for the 'modules' field on 'WorkerCode': the provided value is not of type 'object'.")
    w = codec.Writer().u32(worker).u8(1).str(str(given.get("compatibility_date"))).u32(len(flags))
    for flag in flags:
        w.str(str(flag))
    w.str(str(given.get("main_module"))).u32(len(modules))
    for name, module in modules.items():
        write_module(w, name, module)
    if given.get("env") is None:
        w.u8(0)
        w.parts += stub.NOTHING
    else:
        w.u8(1)
        w.parts += value.write(value.objects(given["env"]))
    capabilities = []
    if "global_outbound" not in given:
        w.u8(INHERIT)
    elif given["global_outbound"] is None:
        w.u8(BLOCKED)
    else:
        w.u8(TARGET)
        capabilities.append(capability_of(given["global_outbound"], "the 'globalOutbound' field on 'WorkerCode'"))
    for i, tail in enumerate(given.get("tails") or ()):
        capabilities.append(capability_of(tail, f"array element {i}"))
    w.u32(len(capabilities))
    for kind, handle in capabilities:
        w.u8(kind).u32(handle)
    write_limits(w, given.get("limits"))
    return w.done()


def provide(worker, code):
    stub.writing(lambda: host.call(op.LOADER_PROVIDE, code_of(worker, code)))


class WorkerStub:
    """A worker that a loader made."""

    def __init__(self, number):
        self._number = number

    def get_entrypoint(self, name=None, options=None, *, props=None, limits=None):
        if self._number == 0:
            raise RuntimeError("The WorkerStub was disposed of.")
        if options is not None:
            props, limits = options.get("props", props), options.get("limits", limits)
        if name in (None, "default"):
            w = codec.Writer().u32(self._number).u8(0).str("")
        else:
            w = codec.Writer().u32(self._number).u8(1).str(str(name))
        limited = codec.Writer()
        write_limits(limited, limits)

        def send():
            message = stub.NOTHING if props is None else value.write(value.objects(props))
            return host.call(op.LOADER_ENTRYPOINT, w.done() + message + limited.done())

        return stub.Service(stub.Handle(int.from_bytes(stub.writing(send)[:4], "little")))

    getEntrypoint = get_entrypoint

    def dispose(self):
        number, self._number = self._number, 0
        if number:
            host.call(op.STUB_RELEASE, _u32(number))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.dispose()

    def __del__(self):
        try:
            self.dispose()
        except Exception:
            pass  # the host drops it with the event


class WorkerLoader:
    """A binding that makes workers."""

    def __init__(self, reference):
        self._reference = reference

    def _find(self, id):
        w = codec.Writer().u32(self._reference.handle()).u8(0 if id is None else 1).str("" if id is None else str(id))
        answer = host.call(op.LOADER_GET, w.done())
        return int.from_bytes(answer[:4], "little"), answer[4] == 1

    def load(self, code):
        number, _ = self._find(None)
        made = WorkerStub(number)
        provide(number, code)
        return made

    def get(self, id, get_code):
        number, wanted = self._find(id)
        made = WorkerStub(number)
        if wanted:
            from .worker import keep_going

            keep_going(self._provide(number, get_code))
        return made

    async def _provide(self, number, get_code):
        """Asks for the code, which only this worker's first request may need."""
        try:
            code = get_code()
            if inspect.isawaitable(code):
                code = await code
            provide(number, code)
        except Exception as error:
            host.call(op.LOADER_PROVIDE, _u32(number) + b"\0" + errors.record(error, ""))

    def __repr__(self):
        return f"<WorkerLoader {self._reference.name}>"


binding.makers["worker_loader"] = lambda reference, data: WorkerLoader(reference)
value.writers[WorkerLoader] = stub.write_binding
