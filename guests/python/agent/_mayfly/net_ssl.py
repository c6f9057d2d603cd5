"""The module _ssl, under which the standard library's ssl works unchanged.

TLS is the host's: it makes the connection and verifies the server's certificate
by its own roots, always. A context's settings are kept and have no effect, but
for client certificates and server contexts, which are refused. What is written
to a TLS object goes to the peer as it is (net_peer).
"""

import os
import sys
import types

from . import net_operations as operations
from .net_peer import HELLO, alerted, record


class SSLError(OSError):
    """An error occurred in the SSL implementation."""

    library = None
    reason = None

    def __str__(self):
        return str(self.strerror if self.strerror is not None else self.args[0] if self.args else "")


class SSLZeroReturnError(SSLError):
    """SSL/TLS session closed cleanly."""


class SSLWantReadError(SSLError):
    """Non-blocking SSL socket needs to read more data."""


class SSLWantWriteError(SSLError):
    """Non-blocking SSL socket needs to write more data."""


class SSLSyscallError(SSLError):
    """System error when attempting SSL operation."""


class SSLEOFError(SSLError):
    """SSL/TLS connection terminated abruptly."""


class SSLCertVerificationError(SSLError, ValueError):
    """A certificate could not be verified."""

    verify_code = 0
    verify_message = ""


class MemoryBIO:
    """A buffer between a TLS object and whoever moves its bytes."""

    def __init__(self):
        self._data = bytearray()
        self._ended = False

    def read(self, size=-1):
        size = len(self._data) if size is None or size < 0 else size
        data = bytes(self._data[:size])
        del self._data[:size]
        return data

    def write(self, data):
        if self._ended:
            raise SSLError(1, "cannot write() after write_eof()")
        view = memoryview(data).cast("B")
        self._data += view
        return view.nbytes

    def write_eof(self):
        self._ended = True

    @property
    def pending(self):
        return len(self._data)

    @property
    def eof(self):
        return self._ended and not self._data


class SSLSession:
    """A session is never reused: the host's connections are its own."""


class Certificate:
    pass


class _SSLContext:
    """A context: settings that are kept, and have no effect."""

    def __new__(cls, protocol, *args, **kwargs):
        self = object.__new__(cls)
        self._protocol = int(protocol)
        client = protocol == PROTOCOL_TLS_CLIENT
        self._options = OP_ALL | OP_NO_SSLv3 | OP_CIPHER_SERVER_PREFERENCE | OP_NO_COMPRESSION | OP_ENABLE_MIDDLEBOX_COMPAT
        self._verify_mode = CERT_REQUIRED if client else CERT_NONE
        self._check_hostname = client
        self._verify_flags = VERIFY_X509_TRUSTED_FIRST
        self._minimum, self._maximum = PROTO_TLSv1_2, PROTO_MAXIMUM_SUPPORTED
        self._host_flags = HOSTFLAG_NO_PARTIAL_WILDCARDS
        self._alpn = ()
        self._message_callback = None
        self.sni_callback = None
        self.keylog_filename = None
        self.post_handshake_auth = False
        self.num_tickets = 2
        self.security_level = 2
        return self

    @property
    def protocol(self):
        return self._protocol

    @property
    def options(self):
        return self._options

    @options.setter
    def options(self, value):
        self._options = int(value)

    @property
    def verify_mode(self):
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value):
        value = int(value)
        if value not in (CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED):
            raise ValueError("invalid value for verify_mode")
        if value == CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify_mode = value

    @property
    def check_hostname(self):
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value):
        self._check_hostname = bool(value)
        if value and self._verify_mode == CERT_NONE:
            self._verify_mode = CERT_REQUIRED

    @property
    def verify_flags(self):
        return self._verify_flags

    @verify_flags.setter
    def verify_flags(self, value):
        self._verify_flags = int(value)

    @property
    def minimum_version(self):
        return self._minimum

    @minimum_version.setter
    def minimum_version(self, value):
        self._minimum = int(value)

    @property
    def maximum_version(self):
        return self._maximum

    @maximum_version.setter
    def maximum_version(self, value):
        self._maximum = int(value)

    @property
    def _msg_callback(self):
        return self._message_callback

    @_msg_callback.setter
    def _msg_callback(self, value):
        self._message_callback = value

    def set_ciphers(self, ciphers):
        pass

    def set_ciphersuites(self, ciphers):
        pass

    def get_ciphers(self):
        return []

    def set_groups(self, groups):
        pass

    def get_groups(self, *, include_aliases=False):
        return []

    def set_client_sigalgs(self, algorithms):
        pass

    def set_server_sigalgs(self, algorithms):
        pass

    def set_ecdh_curve(self, name):
        pass

    def set_psk_client_callback(self, callback):
        raise SSLError(1, "pre-shared keys are not supported: TLS is done by the sandbox's host")

    set_psk_server_callback = set_psk_client_callback

    def load_dh_params(self, path):
        pass

    def load_cert_chain(self, certfile, keyfile=None, password=None):
        raise SSLError(1, "client certificates are not supported: TLS is done by the sandbox's host")

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        for path in (cafile, capath):
            if path is not None:
                os.stat(path)

    def set_default_verify_paths(self):
        pass

    def get_ca_certs(self, binary_form=False):
        return []

    def cert_store_stats(self):
        return {"x509": 0, "crl": 0, "x509_ca": 0}

    def session_stats(self):
        return dict.fromkeys(("number", "connect", "connect_good", "connect_renegotiate", "accept", "accept_good",
                              "accept_renegotiate", "hits", "misses", "timeouts", "cache_full"), 0)

    def _set_alpn_protocols(self, protocols):
        names, rest = [], bytes(protocols)
        while rest:
            names.append(rest[1:1 + rest[0]].decode("ascii"))
            rest = rest[1 + rest[0]:]
        self._alpn = tuple(names)

    def _wrap_socket(self, sock, server_side, server_hostname=None, *, owner=None, session=None):
        return _SSLSocket(self, server_side, server_hostname, owner, _SocketLink(sock))

    def _wrap_bio(self, incoming, outgoing, server_side, server_hostname=None, *, owner=None, session=None):
        return _SSLSocket(self, server_side, server_hostname, owner, _BufferLink(incoming, outgoing))


class _SocketLink:
    """A TLS object's way to the peer of a socket."""

    def __init__(self, sock):
        import weakref
        self._socket = weakref.ref(sock)

    def handshake(self, name):
        import _socket
        sock = self._socket()
        peer = _socket.socket._peer(sock)
        if peer.tls:
            raise SSLError(1, "TLS inside TLS is not supported: the sandbox uses no proxies")
        outcome = []
        peer.secure(name, outcome.append)
        if not outcome and sock.gettimeout() == 0:
            operations.until(lambda: outcome, None)
        else:
            try:
                operations.until(lambda: outcome, sock.gettimeout())
            except TimeoutError:
                raise TimeoutError("_ssl.c: The handshake operation timed out") from None
        if outcome[0] is not None:
            raise outcome[0]

    def read(self, size):
        import _socket
        sock = self._socket()
        try:
            return _socket.socket.recv(sock, size)
        except BlockingIOError:
            raise SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)") from None
        except TimeoutError:
            raise TimeoutError("The read operation timed out") from None

    def write(self, data):
        import _socket
        sock = self._socket()
        try:
            return _socket.socket.send(sock, data)
        except BlockingIOError:
            raise SSLWantWriteError(SSL_ERROR_WANT_WRITE, "The operation did not complete (write)") from None
        except TimeoutError:
            raise TimeoutError("The write operation timed out") from None

    def pending(self):
        import _socket
        sock = self._socket()
        peer = sock and _socket.socket._peer(sock)
        return len(peer.inbox) if peer else 0

    def end(self):
        return self._socket()


class _BufferLink:
    """A TLS object's way to a peer behind two buffers that somebody else moves."""

    def __init__(self, incoming, outgoing):
        self._in, self._out = incoming, outgoing
        self._greeted = False

    def handshake(self, name):
        if not self._greeted:
            self._greeted = True
            self._out.write(record(0x16, HELLO + name.encode("utf-8")))
        if self._in.pending < 5:
            if self._in.eof:
                raise SSLEOFError(SSL_ERROR_EOF, "EOF occurred in violation of protocol")
            raise SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)")
        data = bytes(self._in._data)
        size = int.from_bytes(data[3:5])
        if len(data) < 5 + size:
            raise SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)")
        self._in.read(5 + size)
        if data[0] == 0x15:
            raise alerted(data[5:5 + size])

    def read(self, size):
        data = self._in.read(size)
        if data or size == 0:
            return data
        if self._in.eof:
            return b""
        raise SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)")

    def write(self, data):
        return self._out.write(data)

    def pending(self):
        return 0

    def end(self):
        return None


class _SSLSocket:
    """One side of TLS, as the standard library's SSLSocket and SSLObject drive it."""

    def __init__(self, context, server_side, server_hostname, owner, link):
        if server_side:
            raise SSLError(1, "the sandbox has no TLS servers")
        self.context = context
        self.server_side = False
        self.server_hostname = server_hostname
        self.owner = owner
        self.session = None
        self.session_reused = False
        self._link = link
        self._done = False

    def do_handshake(self):
        if not self._done:
            self._link.handshake(self.server_hostname or "")
            self._done = True

    def read(self, size=1024, buffer=None):
        if not self._done:
            self.do_handshake()
        if buffer is None:
            return self._link.read(size)
        view = memoryview(buffer).cast("B")
        size = view.nbytes if size is None or size <= 0 else min(size, view.nbytes)
        data = self._link.read(size)
        view[:len(data)] = data
        return len(data)

    def write(self, data):
        if not self._done:
            self.do_handshake()
        return self._link.write(data)

    def pending(self):
        return self._link.pending()

    def shutdown(self):
        return self._link.end()

    def getpeercert(self, binary_form=False):
        if not self._done:
            raise ValueError("handshake not done yet")
        return b"" if binary_form else {}

    def get_verified_chain(self):
        return []

    get_unverified_chain = get_verified_chain

    def selected_alpn_protocol(self):
        return "http/1.1" if self._done and "http/1.1" in self.context._alpn else None

    def cipher(self):
        return ("TLS_AES_128_GCM_SHA256", "TLSv1.3", 128) if self._done else None

    def shared_ciphers(self):
        return None

    def group(self):
        return None

    client_sigalg = server_sigalg = group

    def compression(self):
        return None

    def version(self):
        return "TLSv1.3" if self._done else None

    def get_channel_binding(self, kind="tls-unique"):
        return None

    def verify_client_post_handshake(self):
        raise SSLError(1, "TLS is done by the sandbox's host")


OPENSSL_VERSION_NUMBER = 0x300000F0
OPENSSL_VERSION_INFO = (3, 0, 0, 15, 0)
OPENSSL_VERSION = "OpenSSL 3.0.0 (none: TLS is done by the sandbox's host)"
_OPENSSL_API_VERSION = OPENSSL_VERSION_INFO
_DEFAULT_CIPHERS = "DEFAULT"

CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
PROTOCOL_SSLv23 = PROTOCOL_TLS = 2
PROTOCOL_TLSv1, PROTOCOL_TLSv1_1, PROTOCOL_TLSv1_2 = 3, 4, 5
PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 16, 17
PROTO_MINIMUM_SUPPORTED, PROTO_MAXIMUM_SUPPORTED = -2, -1
PROTO_SSLv3, PROTO_TLSv1, PROTO_TLSv1_1, PROTO_TLSv1_2, PROTO_TLSv1_3 = 768, 769, 770, 771, 772
HAS_SNI = HAS_ECDH = HAS_ALPN = HAS_TLSv1_2 = HAS_TLSv1_3 = True
HAS_NPN = HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = HAS_PSK = HAS_PSK_TLS13 = HAS_PHA = False
VERIFY_DEFAULT, VERIFY_CRL_CHECK_LEAF, VERIFY_CRL_CHECK_CHAIN, VERIFY_X509_STRICT = 0, 4, 12, 32
VERIFY_ALLOW_PROXY_CERTS, VERIFY_X509_TRUSTED_FIRST, VERIFY_X509_PARTIAL_CHAIN = 64, 32768, 524288
HOSTFLAG_ALWAYS_CHECK_SUBJECT, HOSTFLAG_NO_WILDCARDS, HOSTFLAG_NO_PARTIAL_WILDCARDS = 1, 2, 4
HOSTFLAG_MULTI_LABEL_WILDCARDS, HOSTFLAG_SINGLE_LABEL_SUBDOMAINS, HOSTFLAG_NEVER_CHECK_SUBJECT = 8, 16, 32
ENCODING_PEM, ENCODING_DER = 1, 2
OP_ALL = 0x80000050
OP_NO_SSLv2, OP_NO_SSLv3, OP_NO_TLSv1, OP_NO_TLSv1_1 = 0, 0x2000000, 0x4000000, 0x10000000
OP_NO_TLSv1_2, OP_NO_TLSv1_3 = 0x8000000, 0x20000000
OP_CIPHER_SERVER_PREFERENCE, OP_SINGLE_DH_USE, OP_SINGLE_ECDH_USE = 0x400000, 0, 0
OP_NO_TICKET, OP_NO_COMPRESSION, OP_NO_RENEGOTIATION = 0x4000, 0x20000, 0x40000000
OP_ENABLE_MIDDLEBOX_COMPAT, OP_IGNORE_UNEXPECTED_EOF, OP_LEGACY_SERVER_CONNECT = 0x100000, 0x80, 4
OP_ENABLE_KTLS = 8
SSL_ERROR_NONE, SSL_ERROR_SSL, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_X509_LOOKUP = 0, 1, 2, 3, 4
SSL_ERROR_SYSCALL, SSL_ERROR_ZERO_RETURN, SSL_ERROR_WANT_CONNECT, SSL_ERROR_EOF, SSL_ERROR_INVALID_ERROR_CODE = 5, 6, 7, 8, 10

# RFC 8446 6.
_ALERTS = {
    "CLOSE_NOTIFY": 0, "UNEXPECTED_MESSAGE": 10, "BAD_RECORD_MAC": 20, "RECORD_OVERFLOW": 22, "DECOMPRESSION_FAILURE": 30,
    "HANDSHAKE_FAILURE": 40, "BAD_CERTIFICATE": 42, "UNSUPPORTED_CERTIFICATE": 43, "CERTIFICATE_REVOKED": 44,
    "CERTIFICATE_EXPIRED": 45, "CERTIFICATE_UNKNOWN": 46, "ILLEGAL_PARAMETER": 47, "UNKNOWN_CA": 48, "ACCESS_DENIED": 49,
    "DECODE_ERROR": 50, "DECRYPT_ERROR": 51, "PROTOCOL_VERSION": 70, "INSUFFICIENT_SECURITY": 71, "INTERNAL_ERROR": 80,
    "USER_CANCELLED": 90, "NO_RENEGOTIATION": 100, "UNSUPPORTED_EXTENSION": 110, "CERTIFICATE_UNOBTAINABLE": 111,
    "UNRECOGNIZED_NAME": 112, "BAD_CERTIFICATE_STATUS_RESPONSE": 113, "BAD_CERTIFICATE_HASH_VALUE": 114,
    "UNKNOWN_PSK_IDENTITY": 115,
}

# The one object identifier that the standard library asks for by name.
_OBJECTS = {
    "1.3.6.1.5.5.7.3.1": (129, "serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    "1.3.6.1.5.5.7.3.2": (130, "clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
}


def txt2obj(text, name=False):
    for known in _OBJECTS.values():
        if text == known[3] or name and text in known[1:3]:
            return known
    raise ValueError(f"unknown object {text!r}")


def nid2obj(number):
    for known in _OBJECTS.values():
        if number == known[0]:
            return known
    raise ValueError(f"unknown NID {number}")


def RAND_status():
    return True


def RAND_add(data, entropy):
    pass


def RAND_bytes(size):
    return os.urandom(size)


def get_sigalgs():
    return []


def get_default_verify_paths():
    return "SSL_CERT_FILE", "/etc/ssl/cert.pem", "SSL_CERT_DIR", "/etc/ssl/certs"


def _make():
    module = types.ModuleType("_ssl", __doc__)
    for name, value in list(globals().items()):
        if name in ("_SSLContext", "_DEFAULT_CIPHERS", "_OPENSSL_API_VERSION") or name[0] != "_" and not isinstance(value, types.ModuleType):
            setattr(module, name, value)
    for name, number in _ALERTS.items():
        setattr(module, "ALERT_DESCRIPTION_" + name, number)
    for error in (SSLError, SSLZeroReturnError, SSLWantReadError, SSLWantWriteError, SSLSyscallError, SSLEOFError, SSLCertVerificationError):
        error.__module__ = "ssl"
    return module


def install():
    """Puts the module in its place. Nothing may have imported ssl yet."""
    sys.modules["_ssl"] = _make()
