"""The network of the sandbox, for the libraries that programs use.

Below Python's socket and ssl the modules _socket and _ssl are ours: what a
library writes to a connection is read as HTTP/1.1, and the host sends the
request under the network policy, with TLS and certificates its own business
(net_peer). So urllib.request, http.client, requests, urllib3, httpx and pandas
work as they are.
"""

import sys


def install():
    """Puts our modules in their places. Nothing may have imported socket or ssl."""
    for name in ("socket", "ssl"):
        if name in sys.modules:
            raise RuntimeError(f"{name} was imported before the network was installed")
    from . import net_select, net_socket

    net_socket.install()
    net_select.install()
    # Not before: it needs the exceptions of a socket that is ours.
    from . import net_ssl

    net_ssl.install()
