"""select and poll over the sandbox's sockets.

The interpreter's own know files only, which are always ready; a socket is ready
when its peer has something to read or room to write.
"""

import errno
import select as module

from . import net_operations as operations
from . import net_socket

_select, _poll = module.select, module.poll


def _number(file):
    return file if isinstance(file, int) else file.fileno()


def _ready(number, write):
    """Is a descriptor of ours ready? A file of another kind always is."""
    end = net_socket.endpoint(number)
    if end is None:
        return True
    if end.peer is None:
        return write
    return not end.peer.congested if write else end.peer.readable


def _wait(look, timeout):
    """What look() finds, waited for up to timeout seconds (None: without end)."""
    found = look()
    if not found and timeout != 0:
        try:
            operations.until(lambda: bool(look()), timeout)
        except TimeoutError:
            pass
        found = look()
    return found


def select(rlist, wlist, xlist, timeout=None, /):
    """Waits until one or more file descriptors are ready for some kind of I/O."""
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    lists = [[(file, _number(file)) for file in files] for files in (rlist, wlist)]
    if not any(net_socket.endpoint(number) for files in lists for _, number in files):
        return _select(rlist, wlist, xlist, timeout)
    def look():
        ready = [[file for file, number in files if _ready(number, write)] for files, write in zip(lists, (False, True))]
        return ready if any(ready) else None

    found = _wait(look, timeout)
    return (*(found or ([], [])), [])


class Poll:
    """A polling object (select.poll)."""

    def __init__(self):
        self._masks = {}

    def register(self, file, eventmask=module.POLLIN | module.POLLPRI | module.POLLOUT):
        self._masks[_number(file)] = eventmask

    def modify(self, file, eventmask):
        number = _number(file)
        if number not in self._masks:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self._masks[number] = eventmask

    def unregister(self, file):
        del self._masks[_number(file)]

    def _look(self):
        found = []
        for number, mask in self._masks.items():
            events = 0
            if mask & module.POLLIN and _ready(number, False):
                events |= module.POLLIN
            if mask & module.POLLOUT and _ready(number, True):
                events |= module.POLLOUT
            if number >= net_socket._FIRST and net_socket.endpoint(number) is None:
                events = module.POLLNVAL
            if events:
                found.append((number, events))
        return found

    def poll(self, timeout=None, /):
        """Waits for events; the timeout is in milliseconds."""
        return _wait(self._look, None if timeout is None or timeout < 0 else timeout / 1000)


def poll():
    """Returns a polling object."""
    return Poll()


def install():
    """Puts the functions in their place."""
    module.select, module.poll = select, poll
