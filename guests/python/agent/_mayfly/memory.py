"""Places of the interpreter's own memory that are the host's to write: found at
boot with its help, told to it in every life.

What raises KeyboardInterrupt is some words that _thread.interrupt_main sets.
The states of generators of random numbers are too long to be seeded in every
life from here.
"""

import _thread
import operator
from functools import partial
from struct import pack, unpack

from _host import call as door

PROBE = b"\4"
FIND = PROBE + b"\6"


def answer(frame):
    data = door(frame)
    if data[0]:
        raise RuntimeError(f"the host refuses to look at memory: {data[1:]!r}")
    return data[1:]


def interrupts():
    """list<u32 address, u32 bits>: what an interrupt sets. The host compares
    memory from before and after, between which nothing else may run: so the
    three calls are made by map and list."""
    rounds = (_thread.interrupt_main, _thread.interrupt_main, bool)
    for i, function in enumerate(rounds):
        steps = [partial(door, b"%c%c" % (4, 2 * i)), function, partial(door, b"%c%c" % (4, 2 * i + 1))]
        raised = False
        try:
            results = list(map(operator.call, steps))
            for _ in range(100):
                pass
        except KeyboardInterrupt:
            raised = True
        if raised != (function is not bool):
            raise RuntimeError("interrupts don't work as they did")
    words = results[2]
    if words[0] or len(words) < 13:
        raise RuntimeError("what interrupts set was not found")
    return words[1:]


def state(generator):
    """The place of a generator's state: list<u32 address, u32 length>, without
    the count. generator has seed(int) and words() → the 624 words as bytes."""
    kept = []  # so that every copy is at a place of its own
    places = None
    for i in range(3):
        generator.seed(i + 1)
        pattern = FIND + generator.words()
        kept.append(pattern)
        found = answer(pattern)
        found = set(unpack(f"<{len(found) // 4}I", found)[1:])
        places = found if places is None else places & found
    if len(places) != 1:
        raise RuntimeError(f"the state of a generator is in {len(places)} places")
    return pack("<II", places.pop(), 4 * WORDS)


WORDS = 624  # of a Mersenne twister


class Standard:
    """A random.Random."""

    def __init__(self, generator):
        self.generator = generator

    def seed(self, n):
        self.generator.seed(n)

    def words(self):
        return pack(f"<{WORDS}I", *self.generator.getstate()[1][:WORDS])


class Legacy:
    """The generator behind numpy.random.rand and its like, or a RandomState."""

    def __init__(self, generator):
        self.generator = generator

    def seed(self, n):
        self.generator.seed(n)

    def words(self):
        return self.generator.get_state()[1].tobytes()


def plug():
    """Fills the holes that boot has left between what stays: what programs
    allocate comes from the end of the heap then, page after page, where it
    would touch a page for each object. What fills them is kept for good."""
    global _plugs
    kept = _plugs = [None] * MAX_PLUGS
    end = id(bytes(PLUG_SIZES[0] * 4))
    n = 0
    for step in PLUG_SIZES:
        while n < MAX_PLUGS:
            plug = bytes(step)
            if id(plug) >= end:
                break
            kept[n] = plug
            n += 1


_plugs = None
MAX_PLUGS = 1 << 18
PLUG_SIZES = (*(1 << n for n in range(20, 12, -1)), *range(4096, 0, -8))
