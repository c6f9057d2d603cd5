"""What has to be new in every life: all isolates start from the same image."""

import atexit
import gc
import random
import sys
import weakref

from . import memory

_handlers = 0  # of logging, that the image has


def generators():
    """list<u32 address, u32 length>: the states of all generators in the image,
    which the host fills in every life. They are left as just seeded: the state
    is used from its start."""
    found = []
    for o in gc.get_objects():
        if isinstance(o, random.Random) and not isinstance(o, random.SystemRandom):
            found.append(memory.Standard(o))
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        found.append(memory.Legacy(numpy.random.mtrand._rand))
    return len(found).to_bytes(4, "little") + b"".join(map(memory.state, found))


def seal():
    """Forgets what modules of the image registered for the exit: exit_handlers
    does what is needed of it."""
    global _handlers
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile._name_sequence = None
    atexit._clear()
    logging = sys.modules.get("logging")
    _handlers = len(logging._handlerList) if logging is not None else 0


def exit_handlers():
    """Runs what is due at the exit of a program."""
    if atexit._ncallbacks():
        atexit._run_exitfuncs()
    if weakref.finalize._registry:
        weakref.finalize._exitfunc()
    logging = sys.modules.get("logging")
    if logging is not None and len(logging._handlerList) != _handlers:
        logging.shutdown()
