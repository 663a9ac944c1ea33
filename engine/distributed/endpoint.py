"""Where machines meet: the address of the first of them, and the interface that leads there."""

import socket
from dataclasses import dataclass

import psutil

from engine.errors import UsageError

DEFAULT_PORT = 29400

_ANY_ADDRESS_ELSEWHERE = "203.0.113.1"


@dataclass(frozen=True)
class Endpoint:
    """A machine by name or address, and the port that it listens on."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``HOST:PORT``."""
        return f"{self.host}:{self.port}"


def endpoint_of(text: str) -> Endpoint:
    """Return the endpoint that ``HOST:PORT`` or ``HOST`` names; for nothing, one at this machine's address.

    Raises:
        UsageError: it is neither.

    """
    host, _, port = text.strip().partition(":")
    if not text.strip():
        return Endpoint(own_address(), DEFAULT_PORT)
    number = int(port or DEFAULT_PORT) if (port or "1").isdecimal() else 0
    if not host or not 0 < number < 2**16:
        raise UsageError(
            f"{text!r} is no HOST:PORT.", f"Give the name or IPv4 address of the first machine: gpu1:{DEFAULT_PORT}"
        )
    return Endpoint(host, number)


def own_address() -> str:
    """Return the address at which other machines are likely to reach this one, else its name; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_ANY_ADDRESS_ELSEWHERE, 9))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def interface_to(endpoint: Endpoint) -> str:
    """Return the name of the interface over which an endpoint is reached; empty where that cannot be told.

    A name that leads a machine to itself by way of loopback, as Debian has its own, stands for its other address.

    Raises:
        OSError: nothing listens there.

    """
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as probe:
        address = str(probe.getsockname()[0])
    if address.startswith("127.") and not _is_loopback(endpoint.host):
        address = own_address()
    of_interfaces = psutil.net_if_addrs().items()
    return next((name for name, own in of_interfaces if any(one.address == address for one in own)), "")


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.")
