"""The event loop of a worker: it rests between the turns of the host, and waits
inside of one only where code blocks.

Every timer is an operation of the host, as a turn belongs to the event that
began what has settled. Where code blocks, what else arrives is handled inside:
an event may be waiting for a call of what it passed on.
"""

import _thread
from asyncio import CancelledError, events, tasks
from contextvars import ContextVar
from struct import Struct

from _host import call as door

from . import host, loop, op
from . import net_operations as operations

DELIVERY = 0xFFFFFFFF  # the id of what is an event, and no settlement
POLL = 256  # handles that run before it is looked for what has settled meanwhile

_id = Struct("<I").pack
_milliseconds = Struct("<d").pack

current = ContextVar("event", default=None)  # the event that code runs for
worker = None  # the loop, once there is a worker
turn = 0  # the event that the host takes what is done to be for; 0: not known
deliver = None  # function of an event's message, told by the worker
resume = None  # function that handles what waits for room, told by the worker
over = None  # function of an event: has it ended?
depth = 0  # how many wait for something in the middle of a turn, each inside of the one before


class Timer(events.TimerHandle):
    __slots__ = ("operation",)


class WorkerLoop(loop.HostLoop):
    def __init__(self):
        super().__init__()
        self._thread_id = _thread.get_ident()  # it counts as running between turns, too
        self._selector = Selector(self)

    def call_at(self, when, callback, *args, context=None):
        self._check_closed()
        return self._after((when - self.time()) * 1000, when, callback, args, context)

    def call_later(self, delay, callback, *args, context=None):
        if delay is None:
            raise TypeError("delay must not be None")
        return self._after(delay * 1000, self.time() + delay, callback, args, context)

    def _after(self, milliseconds, when, callback, args, context):
        timer = Timer(when, callback, args, self, context)
        timer._scheduled = True
        timer.operation = host.start(op.SLEEP, _milliseconds(max(milliseconds, 0.0)))
        loop.pending[timer.operation] = timer
        return timer

    def _timer_handle_cancelled(self, timer):
        if loop.pending.pop(timer.operation, None) is not None:
            host.call(op.CANCEL, _id(timer.operation))

    def run_until_complete(self, future):
        with inside():
            return super().run_until_complete(future)

    def is_running(self):
        return True

    def close(self):
        pass  # it is there as long as the worker

    def call_exception_handler(self, context):
        if self._exception_handler is None and failed is not None and context.get("exception") is not None:
            failed(context["exception"])
            return
        super().call_exception_handler(context)


failed = None  # function of an exception of a task that nobody looked at


class Selector(loop.Selector):
    """What the loop waits with where code blocks."""

    def select(self, timeout):
        if self.loop._ready:
            return ()
        settled = host.wait(-1.0)
        if settled is None:
            raise RuntimeError(loop.NOTHING)
        return (settled,)


def begin():
    """Makes the loop, and has it take what settles."""
    global worker
    if worker is None:
        worker = loop._loop = WorkerLoop()
        worker.set_debug(False)
        loop.serving = settle
        host.serving = wait
    return worker


def pass_to(event):
    """Tells the host for what event code goes on."""
    if event is not None and event.id != turn:
        go_on_as(event.id)


def go_on_as(id):
    global turn
    turn = id
    door(b"\5" + _id(id))


def wait(milliseconds):
    """host.wait of a worker: a time to wait is an operation, too, so that what
    comes after it belongs to the event that waits."""
    global turn
    if milliseconds <= 0:
        settled = host._wait(milliseconds)
        turn = 0
        return settled
    timer = host.start(op.SLEEP, _milliseconds(milliseconds))
    settled = host._wait(-1.0)
    turn = 0
    if settled is not None and settled[0] == timer:
        pass_to(current.get())
        return None
    host.call(op.CANCEL, _id(timer))
    return settled


def settle(ident, ok, payload):
    """Takes what has settled where code blocks, and what was delivered; then what
    is ready goes on. Code whose event has ended meanwhile waits no longer: nothing
    would settle for it any more, and what it has blocked inside of could not go on."""
    global depth
    depth += 1
    try:
        take(ident, ok, payload)
        pump()
        resume()
    finally:
        depth -= 1
    event = current.get()
    pass_to(event)
    if event is not None and over(event):
        raise CancelledError("the event is over")


def take(ident, ok, payload):
    if ident == DELIVERY:
        deliver(payload, 4)
        return
    if operations.settle(ident, ok, payload):
        return
    waiting = loop.pending.get(ident)
    if type(waiting) is Timer:
        del loop.pending[ident]
        waiting._scheduled = False
        if not waiting._cancelled:
            worker._ready.append(waiting)
        return
    loop.complete_operation(ident, ok, payload)


class inside:
    """Has the worker's loop be the running one, whatever runs outside of it."""

    __slots__ = ("outer", "task")

    def __enter__(self):
        self.outer = outer = events._get_running_loop()
        if outer is not None:
            self.task = tasks._swap_current_task(outer, None)
        if outer is not worker:
            events._set_running_loop(worker)

    def __exit__(self, *error):
        outer = self.outer
        if outer is not worker:
            events._set_running_loop(outer)
        if outer is not None:
            tasks._swap_current_task(outer, self.task)


def pump():
    """Runs what is ready, until nothing is."""
    ready = worker._ready
    if not ready:
        return
    with inside():
        left = POLL
        while ready:
            handle = ready.popleft()
            if handle._cancelled:
                continue
            event = handle._context.get(current)
            if event is not None and event.id != turn:
                pass_to(event)
            try:
                handle._run()
            except (KeyboardInterrupt, SystemExit):
                pass  # of the event that it belongs to, whose task has it
            left -= 1
            if left == 0:
                left = POLL
                settled = wait(0.0)
                if settled is not None:
                    take(*settled)
