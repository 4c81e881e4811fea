"""Which addresses a download may connect to: decided on the address itself, in the moment of connecting.

A name says nothing about where it leads, and may lead elsewhere a moment later. So each connection, the one after a
redirect too, resolves its host once, looks at what came out, and connects to that and nothing else.
"""

import ipaddress
import socket
from collections.abc import Collection
from typing import Any

import requests.adapters
import requests.utils
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions

from ferryman_server.reason import FatalError, Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure, public by its number
        "192.0.0.192",  # Oracle Cloud, the first generation
        "fd00:ec2::254",  # Amazon EC2
        "fd00:ec2::23",  # Amazon EKS, a pod's credentials
        "fd20:ce::254",  # Google Cloud
    )
)
"""Where clouds tell a machine its credentials, beside the link-local addresses."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Reach:
    """Public addresses, and private ones for the hosts that the installation names."""

    def __init__(self, private_hosts: Collection[str] = ()) -> None:
        self._private_hosts = private_hosts

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host; every address that it has must be allowed, and no other is connected to."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self._look_at(host, address)
        return addresses

    def literal(self, host: str) -> None:
        """Look at a host that is an address itself; a name is for whoever resolves it."""
        try:
            self._look_at(host, socket.inet_ntoa(socket.inet_aton(host)))
        except OSError:
            if ":" in host:
                self._look_at(host, host.strip("[]"))

    def _look_at(self, host: str, text: str) -> None:
        address = _meant(ipaddress.ip_address(text.partition("%")[0]))
        if _never(address):
            raise FatalError(
                Reason.ARTIFACT_FORBIDDEN,
                f"{host} leads to {address}, where no model is ever kept; name the host that keeps it.",
            )
        if not address.is_global and not self._private(host):
            raise FatalError(
                Reason.ARTIFACT_FORBIDDEN,
                f"{host} leads to {address}, a private address, and is not among the hosts that may "
                "(FERRYMAN_PRIVATE_HOSTS); use s3:// or pvc://, or let the installation name it.",
            )

    def _private(self, host: str) -> bool:
        """Tell whether the installation lets a host have private addresses; `.example.com` means all below it."""
        name = host.lower().rstrip(".")
        return any(
            name == allowed or (allowed.startswith(".") and name.endswith(allowed)) for allowed in self._private_hosts
        )


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries inside, if it does: that is where packets end up."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _never(address: Address) -> bool:
    """Tell whether an address is a cloud's for its machines' credentials, or no single host's."""
    nobody = address.is_unspecified or address.is_multicast or (address.is_reserved and not address.is_loopback)
    local = address.is_link_local or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    return address in _METADATA or local or nobody


class Adapter(requests.adapters.HTTPAdapter):
    """What `requests` connects through."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Connect by our own kind of connection."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._reach)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request; where a proxy resolves names, it decides about them, and addresses are looked at here."""
        if requests.utils.select_proxy(str(request.url), options.get("proxies")):
            self._reach.literal(urllib3.util.parse_url(str(request.url)).host or "")
        return super().send(request, *args, **options)


class Refusal(requests.adapters.BaseAdapter):
    """What plain http goes through where it is not allowed: a redirect to it is not followed."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Refuse."""
        host = urllib3.util.parse_url(str(request.url)).host
        raise FatalError(
            Reason.ARTIFACT_FORBIDDEN, f"The download was redirected to plain http at {host}; serve it over https."
        )

    def close(self) -> None:
        """Have nothing to close."""


def _pools(reach: Reach) -> dict[str, type[urllib3.connectionpool.HTTPConnectionPool]]:
    """Return urllib3's pools, but of connections that look where they lead."""

    class Looking(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            name = self._dns_host  # what urllib3 gives to the resolver, and nothing else
            try:
                addresses = reach.addresses(name, self.port)
            except (OSError, UnicodeError) as error:  # the latter where a label is empty or too long
                raise urllib3.exceptions.NewConnectionError(self, f"{name} has no address: {error}") from error
            try:
                return self._first_of(addresses)
            finally:
                self._dns_host = name

        def _first_of(self, addresses: list[str]) -> socket.socket:
            for address in addresses[:-1]:
                self._dns_host = address
                try:
                    return super()._new_conn()
                except urllib3.exceptions.TimeoutError:  # the kind of every failure to connect
                    continue
            self._dns_host = addresses[-1]
            return super()._new_conn()

    class LookingSecure(urllib3.connection.HTTPSConnection, Looking):
        pass

    class Pool(urllib3.connectionpool.HTTPConnectionPool):
        ConnectionCls = Looking

    class SecurePool(urllib3.connectionpool.HTTPSConnectionPool):
        ConnectionCls = LookingSecure

    return {"http": Pool, "https": SecurePool}
