"""What an isolate can't do says so, and what to do instead: threads, processes,
signals that come by themselves."""

import _thread
import concurrent.futures
import concurrent.futures.thread
import errno
import os
import signal
import subprocess
import threading
import time

from . import loop

THREADS = ("threads can't be started here: use asyncio, or concurrent.futures.ThreadPoolExecutor, "
           "which runs its functions in place")
PROCESSES = loop.PROCESSES
ALARMS = "signals don't come by themselves here: use asyncio.timeout for what can await, and the limits of the execution"
DEADLOCK = "this would wait for ever: there are no other threads that could let it go on"


def install():
    threads()
    pools()
    processes()
    os.abort = abort
    missing(os, PROCESSES, "fork", "forkpty", "system", "execv", "execve", "execvp", "execvpe", "execl", "execle",
            "execlp", "execlpe", "spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe",
            "posix_spawn", "posix_spawnp", "kill", "killpg", "wait", "waitpid", "pipe", "pipe2")
    missing(signal, ALARMS, "alarm", "setitimer", "getitimer", "pause", "sigwait", "siginterrupt")


def abort():
    """os.abort: ends the program with the status of SIGABRT."""
    os._exit(134)


def missing(module, why, *names):
    """Has a module say why a name is not there. hasattr stays false."""
    names = frozenset(name for name in names if not hasattr(module, name))
    label = module.__name__

    def __getattr__(name):
        if name in names:
            raise AttributeError(f"module {label!r} has no attribute {name!r}: {why}", name=name, obj=module)
        raise AttributeError(f"module {label!r} has no attribute {name!r}", name=name, obj=module)

    module.__getattr__ = __getattr__


# Threads


class Lock:
    """threading.Lock for one thread: where it would wait for ever, it raises."""

    __slots__ = ("_held", "__weakref__")

    def __init__(self):
        self._held = False

    def acquire(self, blocking=True, timeout=-1):
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if not self._held:
            self._held = True
            return True
        if blocking:
            wait_in_vain(timeout)
        return False

    def release(self):
        if not self._held:
            raise RuntimeError("release unlocked lock")
        self._held = False

    def locked(self):
        return self._held

    acquire_lock, release_lock, locked_lock = acquire, release, locked

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *exc):
        self.release()

    def _at_fork_reinit(self):
        self._held = False

    def __repr__(self):
        return f"<{'locked' if self._held else 'unlocked'} lock object at {id(self):#x}>"


Lock.__module__ = "_thread"
Lock.__name__ = Lock.__qualname__ = "lock"


def wait_in_vain(timeout):
    """Waits for what can't happen: for a time, or not at all."""
    if timeout is None or timeout < 0:
        raise RuntimeError(DEADLOCK)
    if timeout > 0:
        time.sleep(timeout)


def threads():
    def start(*args, **kwargs):
        raise RuntimeError(THREADS)

    def wait(self, timeout=None):
        if not self._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        wait_in_vain(timeout)
        return False

    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        if hasattr(_thread, name):
            setattr(_thread, name, start)
    threading._start_joinable_thread = start
    threading.Thread.start = start_thread
    threading.Condition.wait = wait
    _thread.allocate_lock = _thread.allocate = threading._allocate_lock = threading.Lock = Lock
    import queue

    queue.SimpleQueue = queue._PySimpleQueue


def start_thread(self):
    """Thread.start: says that there are none."""
    if not self._initialized:
        raise RuntimeError("thread.__init__() not called")
    raise RuntimeError(THREADS)


def pools():
    """ThreadPoolExecutor runs what is submitted at once, in place."""
    from concurrent.futures import thread

    def submit(self, fn, /, *args, **kwargs):
        with self._shutdown_lock:
            if self._broken:
                raise thread.BrokenThreadPool(self._broken)
            if self._shutdown:
                raise RuntimeError("cannot schedule new futures after shutdown")
        future = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        with loop.aside(loop.running()):
            try:
                result = fn(*args, **kwargs)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        return future

    original = thread.ThreadPoolExecutor.__init__

    def init(self, max_workers=None, thread_name_prefix="", initializer=None, initargs=(), **kwargs):
        original(self, max_workers, thread_name_prefix, initializer, initargs, **kwargs)
        if initializer is not None:
            initializer(*initargs)

    thread.ThreadPoolExecutor.submit = submit
    thread.ThreadPoolExecutor.__init__ = init


# Processes


def processes():
    def popen_init(self, *args, **kwargs):
        self.returncode = self.pid = self.stdin = self.stdout = self.stderr = None
        self._child_created = False
        raise OSError(errno.ENOTSUP, PROCESSES)

    subprocess.Popen.__init__ = popen_init

    def popen(*args, **kwargs):
        raise OSError(errno.ENOTSUP, PROCESSES)

    os.popen = popen

    def bad_start(self):
        raise OSError(errno.ENOTSUP, PROCESSES)

    import multiprocessing.process

    multiprocessing.process.BaseProcess.start = bad_start
    import concurrent.futures.process

    def no_pool(self, *args, **kwargs):
        raise OSError(errno.ENOTSUP, PROCESSES)

    concurrent.futures.process.ProcessPoolExecutor.__init__ = no_pool
    import multiprocessing.pool

    multiprocessing.pool.Pool.__init__ = no_pool
    multiprocessing.pool.Pool.__del__ = lambda self: None

    def thread_pool(self, *args, **kwargs):
        raise RuntimeError(THREADS)

    multiprocessing.pool.ThreadPool.__init__ = thread_pool
    os.cpu_count = os.process_cpu_count = lambda: 1
