"""Connections of an asyncio event loop.

[Connections] is a part of the loop: what asyncio's own loops do with sockets and
selectors, done with peers. Libraries that are built on asyncio (anyio, httpcore)
need nothing else.
"""

import asyncio
import errno

from . import net_socket
from .net_peer import ONLY_HTTP, Peer


class Transport(asyncio.Transport):
    """A connection, as a protocol of asyncio sees it."""

    def __init__(self, loop, peer, address, context=None):
        self._end = net_socket.Endpoint.of(peer, address)
        super().__init__({"peername": address, "sockname": ("0.0.0.0", 0), "socket": Socket(self._end)})
        self._loop, self._peer, self._address = loop, peer, address
        self._protocol = None
        self._paused = self._full = self._closing = self._lost = self._scheduled = False
        self._ended = False
        if context is not None:
            self._extra["sslcontext"] = context
            self._extra["ssl_object"] = context.wrap_bio(_ssl_buffer(), _ssl_buffer(), server_hostname=peer.host)
            self._extra["ssl_object"]._sslobj._done = True
        peer.changed = self._changed

    def _begin(self, protocol):
        self._protocol = protocol
        protocol.connection_made(self)
        self._changed()

    # The peer's side.

    def _changed(self):
        if not self._scheduled and not self._lost:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self):
        self._scheduled = False
        if self._lost:
            return
        if self._full and not self._peer.congested:
            self._full = False
            self._protocol.resume_writing()
        while not self._paused and not self._closing and self._peer.readable and not self._ended:
            try:
                self._receive()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._abort(error)
                return

    def _receive(self):
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            buffer = memoryview(protocol.get_buffer(-1)).cast("B")
            data = self._peer.take(len(buffer))
            if data:
                buffer[:len(data)] = data
                protocol.buffer_updated(len(data))
        else:
            data = self._peer.take(256 << 10)
            if data:
                protocol.data_received(data)
        if not data:
            self._ended = True
            if not protocol.eof_received():
                self.close()

    def _abort(self, error):
        self._closing = True
        self._loop.call_soon(self._lose, error)

    def _lose(self, error):
        if self._lost:
            return
        self._lost = True
        self._end.close()
        self._protocol.connection_lost(error)

    # The protocol's side.

    def set_protocol(self, protocol):
        self._protocol = protocol

    def get_protocol(self):
        return self._protocol

    def is_closing(self):
        return self._closing

    def close(self):
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._lose, None)

    def abort(self):
        self.close()

    def is_reading(self):
        return not self._paused and not self._closing

    def pause_reading(self):
        self._paused = True

    def resume_reading(self):
        self._paused = False
        self._changed()

    def write(self, data):
        if self._closing or not data:
            return
        try:
            self._peer.write(data)
        except OSError as error:
            self._abort(error)
            return
        if self._peer.congested and not self._full:
            self._full = True
            self._protocol.pause_writing()

    def writelines(self, parts):
        self.write(b"".join(parts))

    def write_eof(self):
        pass  # a request ends by itself

    def can_write_eof(self):
        return False

    def get_write_buffer_size(self):
        return self._peer.unsent

    def get_write_buffer_limits(self):
        return 0, 256 << 10

    def set_write_buffer_limits(self, high=None, low=None):
        pass


def _ssl_buffer():
    import ssl
    return ssl.MemoryBIO()


class Socket:
    """What a protocol may ask of a transport's socket."""

    def __init__(self, end):
        self._end = end
        self.family, self.type, self.proto = end.family, end.type, end.proto

    def fileno(self):
        return self._end.number if net_socket.endpoint(self._end.number) is not None else -1

    def getpeername(self):
        return self._end.address

    def getsockname(self):
        return ("0.0.0.0", 0)

    def getsockopt(self, level, option, length=0):
        return bytes(length) if length else 0

    def setsockopt(self, *args):
        pass

    def gettimeout(self):
        return 0.0

    def settimeout(self, timeout):
        pass

    def setblocking(self, flag):
        pass


class Connections:
    """What a loop needs to connect."""

    async def create_connection(
        self, protocol_factory, host=None, port=None, *, ssl=None, family=0, proto=0, flags=0, sock=None, local_addr=None,
        server_hostname=None, ssl_handshake_timeout=None, ssl_shutdown_timeout=None, happy_eyeballs_delay=None,
        interleave=None, all_errors=False,
    ):
        """Connects to an HTTP server, as loop.create_connection."""
        context = _context(ssl)
        if server_hostname is not None and context is None:
            raise ValueError("server_hostname is only meaningful with ssl")
        if sock is not None:
            if host is not None or port is not None:
                raise ValueError("host/port and sock can not be specified at the same time")
            end = net_socket.endpoint(sock.detach())
            if end is None or end.peer is None:
                raise OSError(errno.ENOTCONN, "the socket is not connected")
            peer, address = end.peer, end.address
        else:
            if host is None or port is None:
                raise ValueError("host and port was not specified and no sock specified")
            if local_addr is not None:
                raise OSError(errno.EOPNOTSUPP, f"local_addr: {ONLY_HTTP}")
            address = net_socket.getaddrinfo(host, port, flags=flags)[0][4]
            peer = Peer(address[0], address[1], lambda: None)
            try:
                await self._settled(lambda done: peer.connect(False, done))
            except BaseException:
                peer.close()
                raise
        if context is not None:
            try:
                await self._secure(peer, server_hostname or "", ssl_handshake_timeout)
            except BaseException:
                peer.close()
                raise
        transport = Transport(self, peer, address, context)
        protocol = protocol_factory()
        transport._begin(protocol)
        return transport, protocol

    async def start_tls(
        self, transport, protocol, sslcontext, *, server_side=False, server_hostname=None, ssl_handshake_timeout=None,
        ssl_shutdown_timeout=None,
    ):
        """Has the host do the TLS handshake on a connection, as loop.start_tls."""
        if server_side:
            raise OSError(errno.EOPNOTSUPP, "the sandbox has no TLS servers")
        if not isinstance(transport, Transport):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        peer = transport._peer
        await self._secure(peer, server_hostname or "", ssl_handshake_timeout)
        transport._lost = True  # it has no more to say
        secure = Transport(self, peer, transport._address, _context(sslcontext))
        secure._protocol = protocol
        return secure

    async def _secure(self, peer, name, timeout):
        if not timeout:
            timeout = 60.0
        try:
            async with asyncio.timeout(timeout):
                await self._settled(lambda done: peer.secure(name, done))
        except TimeoutError:
            raise ConnectionAbortedError(
                f"SSL handshake is taking longer than {timeout} seconds: aborting the connection"
            ) from None

    async def _settled(self, begin):
        future = self.create_future()

        def done(error):
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        begin(done)
        await future

    async def getaddrinfo(self, host, port, *, family=0, type=0, proto=0, flags=0):
        """The name itself as the address (net_socket)."""
        import socket

        found = socket.getaddrinfo(host, port, family, type, proto, flags)
        address = found[0][4]
        if address[1] and type in (0, socket.SOCK_STREAM) and not net_socket.is_numeric(address[0]):
            # A library that looks names up for itself connects right after, and
            # may hide why it could not: so that comes to light here, as an
            # unknown name would.
            peer = Peer(address[0], address[1], lambda: None)
            try:
                await self._settled(lambda done: peer.connect(False, done))
            finally:
                peer.close()
        return found

    async def getnameinfo(self, sockaddr, flags=0):
        return net_socket.getnameinfo(sockaddr, flags)

    async def sock_connect(self, sock, address):
        sock.connect(address)

    async def sock_recv(self, sock, n):
        await self._until(sock, lambda peer: peer.readable)
        return sock.recv(n)

    async def sock_recv_into(self, sock, buf):
        await self._until(sock, lambda peer: peer.readable)
        return sock.recv_into(buf)

    async def sock_sendall(self, sock, data):
        await self._until(sock, lambda peer: not peer.congested)
        sock.sendall(data)

    async def _until(self, sock, ready):
        end = net_socket.endpoint(sock.fileno())
        if end is None or end.peer is None:
            return
        while not ready(end.peer) and not (end.peer.idle and not end.peer.readable):
            future = self.create_future()
            end.watch = lambda: future.done() or future.set_result(None)
            try:
                await future
            finally:
                end.watch = None

    async def create_server(self, *args, **kwargs):
        raise OSError(errno.EOPNOTSUPP, f"servers are not available: {ONLY_HTTP}")

    async def create_datagram_endpoint(self, *args, **kwargs):
        raise OSError(errno.EOPNOTSUPP, f"datagrams are not available: {ONLY_HTTP}")

    async def create_unix_connection(self, *args, **kwargs):
        raise OSError(errno.EOPNOTSUPP, f"Unix sockets are not available: {ONLY_HTTP}")

    create_unix_server = create_server


def _context(ssl):
    if ssl is None or ssl is False:
        return None
    if ssl is True:
        import ssl as module
        return module.create_default_context()
    return ssl
