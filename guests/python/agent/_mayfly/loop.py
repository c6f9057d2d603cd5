"""asyncio on the host's operations: an event loop that waits by one call of
the host, which holds no processor meanwhile."""

import asyncio
from asyncio import base_events, events, runners, tasks
from struct import pack

from . import codec, host, net_operations, op
from .net_loop import Connections
from .net_peer import ONLY_HTTP

NOTHING = ("nothing to wait for: every task waits for something that no timer and no operation "
           "under way will bring about")

# How often tasks that wait for nothing are ended, before all is given up.
MAX_STUCK = 100

# Futures of the operations under way, by id. It is shared by all loops: each
# future knows its own.
pending = {}


class Selector:
    """What BaseEventLoop waits with."""

    def __init__(self, loop):
        self.loop = loop

    def select(self, timeout):
        if timeout is None:
            if not pending and not net_operations.pending():
                self.loop._give_up()
                return ()
            milliseconds = -1.0
        elif timeout > 0:
            milliseconds = timeout * 1000
        elif not pending and not net_operations.pending():
            return ()
        else:
            milliseconds = 0.0
        settled = host.wait(milliseconds)
        if settled is not None:
            return (settled,)
        return ()

    def close(self):
        pass


class HostLoop(Connections, base_events.BaseEventLoop):
    """An event loop for timers, host operations, and functions that run in
    place of threads. It may be run inside of another, or of itself."""

    def __init__(self):
        super().__init__()
        self._selector = Selector(self)
        self._stuck = 0

    def _process_events(self, event_list):
        for settled in event_list:
            settle(*settled)

    def _write_to_self(self):
        pass

    def _give_up(self):
        """Ends tasks that wait for nothing: where they wait, so that it shows."""
        waiting = [task for task in tasks.all_tasks(self) if not task.done()]
        self._stuck += 1
        if not waiting or self._stuck > MAX_STUCK:
            raise RuntimeError(NOTHING)
        for task in waiting:
            task.cancel(NOTHING)

    def run_forever(self):
        outer = events._get_running_loop()
        if outer is None:
            return super().run_forever()
        with aside(outer):
            return super().run_forever()

    def run_until_complete(self, future):
        if events._get_running_loop() is not self:
            try:
                return super().run_until_complete(future)
            except asyncio.CancelledError as error:
                if error.args != (NOTHING,):
                    raise
                stuck = RuntimeError(NOTHING).with_traceback(error.__traceback__)
            raise stuck from None
        # Inside of itself: the tasks go on meanwhile.
        made = not asyncio.isfuture(future)
        future = tasks.ensure_future(future, loop=self)
        if made:
            future._log_destroy_pending = False
        ready = len(self._ready)
        outer = tasks._swap_current_task(self, None)
        try:
            while not future.done():
                self._run_once()
        finally:
            tasks._swap_current_task(self, outer)
            while len(self._ready) < ready:  # the one outside counts on as many
                handle = events.Handle(_nothing, (), self)
                handle.cancel()
                self._ready.append(handle)
        return future.result()

    def run_in_executor(self, executor, func, *args):
        """Runs func at once, in place."""
        self._check_closed()
        future = self.create_future()
        with aside(running()):
            try:
                result = func(*args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        return future

    def set_default_executor(self, executor):
        pass  # nothing but this loop runs anything

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError("signals: there are none here but the interrupt, which raises KeyboardInterrupt")

    def remove_signal_handler(self, sig):
        return False

    def add_reader(self, fd, callback, *args):
        raise NotImplementedError(ONLY_HTTP)

    add_writer = add_reader

    def remove_reader(self, fd):
        return False

    remove_writer = remove_reader

    async def subprocess_exec(self, *args, **kwargs):
        raise OSError(PROCESSES)

    subprocess_shell = connect_read_pipe = connect_write_pipe = subprocess_exec


PROCESSES = "processes can't be started here: call the library from Python instead"


def _nothing():
    pass


def running():
    """The loop that runs, or None."""
    return events._get_running_loop()


class aside:
    """Puts a running loop aside while something else runs."""

    __slots__ = ("loop", "task")

    def __init__(self, loop):
        self.loop = loop

    def __enter__(self):
        if self.loop is not None:
            self.task = tasks._swap_current_task(self.loop, None)
            events._set_running_loop(None)

    def __exit__(self, *exc):
        if self.loop is not None:
            events._set_running_loop(self.loop)
            tasks._swap_current_task(self.loop, self.task)


def start(number, payload=b""):
    """Starts an operation of the host: a future of its answer, which is the
    bytes of it, or a HostError. Cancelling the future cancels the operation."""
    loop = events.get_running_loop()
    future = loop.create_future()
    ident = host.start(number, payload)
    pending[ident] = future
    future.add_done_callback(lambda future: _dropped(ident, future))
    return future


def _dropped(ident, future):
    if future.cancelled() and pending.pop(ident, None) is not None:
        host.call(op.CANCEL, pack("<I", ident))


serving = None  # what settle is for a worker, once there is one


def settle(ident, ok, payload):
    """Completes what an operation was started for."""
    if serving is not None:
        serving(ident, ok, payload)
    elif not net_operations.settle(ident, ok, payload):
        complete_operation(ident, ok, payload)


def complete_operation(ident, ok, payload):
    future = pending.pop(ident, None)
    if future is None or future.done():
        return
    if ok:
        future.set_result(payload)
    else:
        future.set_exception(codec.error(payload, 0))


_loop = None


def current():
    """The loop of top-level await: it stays for the cells of a session."""
    global _loop
    if _loop is None or _loop.is_closed():
        _loop = HostLoop()
    return _loop


def complete(coroutine):
    """Runs a coroutine to its end, for a program that awaits at its top level."""
    loop = current()
    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException:
        if not task.done():  # interrupted, or nothing to wait for
            task.cancel()
            try:
                loop.run_until_complete(task)
            except BaseException:
                pass
        raise


class inside:
    """Has code that does not await find the running loop, so that it can start
    tasks: they run when the program awaits, and begin at the end of the code."""

    def __enter__(self):
        events._set_running_loop(current())

    def __exit__(self, kind, *rest):
        events._set_running_loop(None)
        if kind is None and _loop is not None and not _loop.is_closed() and _loop._ready:
            _loop.call_soon(_loop.stop)
            _loop.run_forever()


def finish():
    """Ends what a program has left running, as asyncio.run does."""
    loop = _loop
    if loop is None or loop.is_closed():
        return
    try:
        runners._cancel_all_tasks(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


class Policy(events._AbstractEventLoopPolicy if hasattr(events, "_AbstractEventLoopPolicy") else object):
    """Has get_event_loop make a loop where none is, as it did for long."""

    def __init__(self):
        self.loop = None

    def get_event_loop(self):
        if self.loop is None or self.loop.is_closed():
            return current()
        return self.loop

    def set_event_loop(self, loop):
        self.loop = loop

    def new_event_loop(self):
        return HostLoop()


def install():
    """Makes this the event loop of asyncio."""
    for module in (asyncio, events):
        module.new_event_loop = HostLoop
    asyncio.SelectorEventLoop = asyncio.EventLoop = HostLoop
    events._event_loop_policy = Policy()

    run, runner_run = runners.run, runners.Runner.run

    def nested(function):
        def inner(*args, **kwargs):
            outer = events._get_running_loop()
            if outer is None:
                return function(*args, **kwargs)
            with aside(outer):
                return function(*args, **kwargs)
        inner.__name__, inner.__qualname__, inner.__doc__ = function.__name__, function.__qualname__, function.__doc__
        inner.__wrapped__ = function
        return inner

    asyncio.run = runners.run = nested(run)
    runners.Runner.run = nested(runner_run)
