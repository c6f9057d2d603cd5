"""The module _socket: sockets that reach HTTP servers by way of the host.

The standard library's socket is built on it unchanged. A name is not looked up
here: its address is the name itself, so that the host sees what the program
asked for.
"""

import errno
import itertools
import sys
import types

from . import net_operations as operations
from .net_peer import ONLY_HTTP, Peer

_FIRST = 1 << 20  # of the descriptors' numbers, far from those of files
_numbers = itertools.count(_FIRST)
_endpoints = {}  # by descriptor

_default_timeout = None

# Names that programs set options by, and that the interpreter's build lacks.
_CONSTANTS = {
    "SO_DEBUG": 1, "SO_REUSEADDR": 2, "SO_ERROR": 4, "SO_DONTROUTE": 5, "SO_BROADCAST": 6, "SO_SNDBUF": 7, "SO_RCVBUF": 8,
    "SO_KEEPALIVE": 9, "SO_OOBINLINE": 10, "SO_LINGER": 13, "SO_REUSEPORT": 15, "SO_RCVTIMEO": 20, "SO_SNDTIMEO": 21,
    "SOCK_RAW": 3, "TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 18, "TCP_NODELAY": 1,
    "MSG_DONTWAIT": 64, "MSG_NOSIGNAL": 16384, "NI_NUMERICHOST": 1, "NI_NUMERICSERV": 2,
}

_SERVICES = {"http": 80, "https": 443, "www": 80}


class Endpoint:
    """What a descriptor stands for."""

    def __init__(self, family, type, proto):
        self.family, self.type, self.proto = family, type, proto
        self.number = next(_numbers)
        self.peer = None
        self.address = None
        self.watch = None  # called when the peer has news
        _endpoints[self.number] = self

    @classmethod
    def of(cls, peer, address):
        """The endpoint of a peer that is connected already."""
        end = cls(module.AF_INET6 if len(address) == 4 else module.AF_INET, module.SOCK_STREAM, 0)
        end.peer, end.address = peer, address
        return end

    def connect(self, address, done):
        host, port = address[0], address[1]
        if not isinstance(host, str) or not isinstance(port, int):
            raise TypeError("an address is (host, port)")
        if not 0 < port < 65536:
            raise OverflowError("connect(): port must be 1-65535.")
        peer = Peer(host, port, self._changed)

        def connected(error):
            if error is None:
                self.peer, self.address = peer, address
            done(error)

        peer.connect(False, connected)
        return peer

    def _changed(self):
        if self.watch is not None:
            self.watch()

    def close(self):
        _endpoints.pop(self.number, None)
        if self.peer is not None:
            self.peer.close()


def endpoint(number):
    """The endpoint of a descriptor, or None if it is another file's."""
    return _endpoints.get(number)


def _refuse(what):
    raise OSError(errno.EOPNOTSUPP, f"{what}: {ONLY_HTTP}")


class socket:
    """A stream socket whose far end is an HTTP server, reached through the host."""

    __slots__ = ("_end", "_timeout")

    def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
        self._end = None
        self._timeout = _default_timeout
        if fileno is not None:
            end = _endpoints.get(fileno)
            if end is None:
                raise OSError(errno.ENOTSOCK, "not a socket")
            self._end = end
            return
        family = module.AF_INET if family == -1 else int(family)
        type = module.SOCK_STREAM if type == -1 else int(type) & ~(module.SOCK_CLOEXEC | module.SOCK_NONBLOCK)
        if family not in (module.AF_INET, module.AF_INET6):
            raise OSError(errno.EAFNOSUPPORT, f"address family not supported: {ONLY_HTTP}")
        if type != module.SOCK_STREAM:
            raise OSError(errno.EPROTONOSUPPORT, f"only stream sockets are supported: {ONLY_HTTP}")
        self._end = Endpoint(family, type, 0 if proto == -1 else proto)

    def _open(self):
        if self._end is None:
            raise OSError(errno.EBADF, "Bad file descriptor")
        return self._end

    def _peer(self):
        peer = self._open().peer
        if peer is None:
            raise OSError(errno.ENOTCONN, "Socket not connected")
        return peer

    @property
    def family(self):
        return self._open().family if self._end else module.AF_INET

    @property
    def type(self):
        return self._open().type if self._end else module.SOCK_STREAM

    @property
    def proto(self):
        return self._open().proto if self._end else 0

    @property
    def timeout(self):
        return self._timeout

    def fileno(self):
        return self._end.number if self._end is not None else -1

    def settimeout(self, timeout):
        if timeout is not None:
            timeout = float(timeout)
            if timeout < 0:
                raise ValueError("Timeout value out of range")
        self._timeout = timeout

    def gettimeout(self):
        return self._timeout

    def setblocking(self, flag):
        self._timeout = None if flag else 0.0

    def getblocking(self):
        return self._timeout != 0.0

    def setsockopt(self, level, option, value=None, length=None):
        self._open()  # there is nothing to set: the connection is the host's

    def getsockopt(self, level, option, length=0):
        end = self._open()
        if level == module.SOL_SOCKET and option == module.SO_TYPE:
            return end.type
        return bytes(length) if length else 0

    def _wait(self, ready):
        if ready():
            return
        if self._timeout == 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")
        operations.until(ready, self._timeout)

    def connect(self, address):
        end = self._open()
        if end.peer is not None:
            raise OSError(errno.EISCONN, "Socket is connected")
        outcome = []
        # Connecting is quick to begin with: it is waited for also where a
        # program would rather not block.
        peer = end.connect(address, outcome.append)
        try:
            operations.until(lambda: outcome, self._timeout or None)
        except BaseException:
            peer.close()
            raise
        if outcome[0] is not None:
            raise outcome[0]

    def connect_ex(self, address):
        try:
            self.connect(address)
        except OSError as error:
            return error.errno or errno.ECONNABORTED
        return 0

    def send(self, data, flags=0):
        peer = self._peer()
        view = memoryview(data).cast("B")
        if peer.congested:
            self._wait(lambda: not peer.congested or peer.readable)
        peer.write(view)
        return view.nbytes

    def sendall(self, data, flags=0):
        view = memoryview(data).cast("B")
        for start in range(0, view.nbytes, 1 << 16):
            socket.send(self, view[start:start + (1 << 16)], flags)

    def _readable(self):
        peer = self._peer()
        if not peer.readable and peer.idle:
            # It would be waited for without end.
            raise OSError(errno.EPROTONOSUPPORT, f"nothing was requested on this connection: {ONLY_HTTP}")
        self._wait(lambda: peer.readable)
        return peer

    def recv(self, size, flags=0):
        if size < 0:
            raise ValueError("negative buffersize in recv")
        peer = self._readable()
        if flags & module.MSG_PEEK:
            return bytes(peer.inbox[:size])
        return peer.take(size)

    def recv_into(self, buffer, nbytes=0, flags=0):
        view = memoryview(buffer).cast("B")
        size = min(nbytes, view.nbytes) if nbytes else view.nbytes
        data = socket.recv(self, size, flags)
        view[:len(data)] = data
        return len(data)

    def recvfrom(self, size, flags=0):
        return socket.recv(self, size, flags), self._end.address

    def recvfrom_into(self, buffer, nbytes=0, flags=0):
        return socket.recv_into(self, buffer, nbytes, flags), self._end.address

    def sendto(self, data, *rest):
        _refuse("sendto")

    def sendmsg(self, buffers, *rest):
        return socket.send(self, b"".join(buffers))

    def recvmsg(self, size, *rest):
        return socket.recv(self, size), [], 0, self._end.address

    def getpeername(self):
        self._peer()
        return self._end.address

    def getsockname(self):
        end = self._open()
        return ("0.0.0.0", 0) if end.family == module.AF_INET else ("::", 0, 0, 0)

    def bind(self, address):
        _refuse("bind")

    def listen(self, backlog=0):
        _refuse("listen")

    def _accept(self):
        _refuse("accept")

    def shutdown(self, how):
        peer = self._peer()
        if how != module.SHUT_WR:
            peer.close()

    def close(self):
        end, self._end = self._end, None
        if end is not None:
            end.close()

    def detach(self):
        end, self._end = self._end, None
        return end.number if end is not None else -1

    def __del__(self):
        end = getattr(self, "_end", None)
        if end is not None:
            end.close()


def is_numeric(host):
    """The family of an address, or 0 if it is a name."""
    try:
        module.inet_pton(module.AF_INET, host)
        return module.AF_INET
    except OSError:
        pass
    try:
        module.inet_pton(module.AF_INET6, host.partition("%")[0])
        return module.AF_INET6
    except OSError:
        return 0


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii")
    if isinstance(port, (bytes, bytearray)):
        port = bytes(port).decode("ascii")
    if host is None or host == "":
        host = "127.0.0.1"
    if port is None:
        number = 0
    elif isinstance(port, str):
        if port.isascii() and port.isdigit():
            number = int(port)
        elif port in _SERVICES:
            number = _SERVICES[port]
        else:
            raise module.gaierror(module.EAI_SERVICE, "Servname not supported for ai_socktype")
    else:
        number = int(port)
    numeric = is_numeric(host)
    if not numeric:
        if flags & module.AI_NUMERICHOST:
            raise module.gaierror(module.EAI_NONAME, "Name or service not known")
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    if numeric == module.AF_INET6 or family == module.AF_INET6 and not numeric:
        address, family = (host, number, 0, 0), module.AF_INET6
    else:
        address, family = (host, number), module.AF_INET
    if type not in (0, module.SOCK_STREAM):
        kinds = [(type, proto)]
    else:
        kinds = [(module.SOCK_STREAM, module.IPPROTO_TCP)]
    return [(family, kind, proto, host if flags & module.AI_CANONNAME else "", address) for kind, proto in kinds]


def _no_lookup(name):
    raise module.gaierror(
        module.EAI_FAIL,
        f"the sandbox looks no names up: its host does, when a request is sent; use the name ({name}) in the URL",
    )


def gethostbyname(host):
    if not host or host in ("localhost", gethostname()):
        return "127.0.0.1"
    if is_numeric(host) == module.AF_INET:
        return host
    _no_lookup(host)


def gethostbyname_ex(host):
    return host, [], [gethostbyname(host)]


def gethostbyaddr(host):
    _no_lookup(host)


def getnameinfo(address, flags):
    return address[0], str(address[1])


def gethostname():
    return "localhost"


def getservbyname(name, protocol="tcp"):
    if name not in _SERVICES:
        raise OSError("service/proto not found")
    return _SERVICES[name]


def getservbyport(port, protocol="tcp"):
    for name, number in _SERVICES.items():
        if number == port:
            return name
    raise OSError("port/proto not found")


def getprotobyname(name):
    return {"icmp": 1, "tcp": 6, "udp": 17}[name]


def getdefaulttimeout():
    return _default_timeout


def setdefaulttimeout(timeout):
    global _default_timeout
    if timeout is not None:
        timeout = float(timeout)
        if timeout < 0:
            raise ValueError("Timeout value out of range")
    _default_timeout = timeout


def close(number):
    end = _endpoints.get(number)
    if end is None:
        raise OSError(errno.EBADF, "Bad file descriptor")
    end.close()


def dup(number):
    _refuse("dup")


def _make(real):
    """The module, with the constants of the interpreter's own."""
    module = types.ModuleType("_socket", __doc__)
    for name, value in vars(real).items():
        if not name.startswith("__") and name not in ("CAPI",):
            setattr(module, name, value)
    for name, value in _CONSTANTS.items():
        if not hasattr(module, name):
            setattr(module, name, value)
    for value in (
        socket, getaddrinfo, gethostbyname, gethostbyname_ex, gethostbyaddr, getnameinfo, gethostname, getservbyname,
        getservbyport, getprotobyname, getdefaulttimeout, setdefaulttimeout, close, dup,
    ):
        setattr(module, value.__name__, value)
    module.SocketType = socket
    module.has_ipv6 = True
    return module


import _socket as _real

module = _make(_real)
socket.__module__ = "_socket"


def install():
    """Puts the module in its place. Nothing may have imported socket yet."""
    sys.modules["_socket"] = module
