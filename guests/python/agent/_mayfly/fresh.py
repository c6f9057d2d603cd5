"""What has to be new in every life: all isolates start from the same image."""

import atexit
import gc
import os
import random
import sys
import weakref

# Generators that modules made at boot, besides random's own.
_generators = []
_numpy = None  # the function that seeds numpy's legacy generator

_handlers = 0


def collect():
    """Finds the generators of the image. Called at boot, before it is sealed."""
    global _numpy
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        _numpy = numpy.random.seed
    own = random._inst
    _generators[:] = [o for o in gc.get_objects()
                      if isinstance(o, random.Random) and not isinstance(o, random.SystemRandom) and o is not own]
    tempfile = sys.modules.get("tempfile")
    if tempfile is not None:
        tempfile._name_sequence = None


def seed():
    """Seeds every generator from the host's randomness."""
    data = os.urandom(32)
    random.seed(int.from_bytes(data, "little"))
    if _numpy is not None:
        _numpy([int.from_bytes(data[i:i + 4], "little") for i in range(0, 32, 4)])
    for generator in _generators:
        generator.seed(int.from_bytes(os.urandom(32), "little"))


def seal():
    """Forgets what modules of the image registered for the exit: exit_handlers
    does what is needed of it."""
    global _handlers
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
