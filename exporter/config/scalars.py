"""Values that are one word in a configuration: durations, networks, addresses."""

import re
from ipaddress import ip_address, ip_network

from exporter.model.clusterset import Address, Network

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""A DNS label, such as the name of a namespace."""
MAX_PORT = 65535
UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""Seconds of each unit of a duration, in the order in which they are written."""
MAX_DIGITS = 18
"""Digits of one number in a duration."""
YEAR = 366 * UNITS["d"]
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,{MAX_DIGITS}}}){unit})?" for unit in UNITS))
_DNS_PORT = 53


class Duration(float):
    """Seconds, written as in Prometheus: `250ms`, `15s`, `5m`, `1h30m`."""

    @classmethod
    def parse(cls, text: object) -> "Duration":
        """Read a duration; ValueError if the text is not one."""
        matched = _DURATION.fullmatch(text) if isinstance(text, str) and text else None
        if matched is None:
            msg = f"{text!r} is not a duration; write for example 250ms, 15s or 5m"
            raise ValueError(msg)
        parts = zip(matched.groups(), UNITS.values(), strict=True)
        seconds = sum(int(number) * unit for number, unit in parts if number)
        if not 0 < seconds < YEAR:
            msg = f"{text} should be more than 0 and less than a year; write for example 15s"
            raise ValueError(msg)
        return cls(seconds)

    def __str__(self) -> str:
        """Return the text that `parse` reads as this duration."""
        left, text = round(self * 1000), ""
        for unit, seconds in UNITS.items():
            number, left = divmod(left, round(seconds * 1000))
            text += f"{number}{unit}" if number else ""
        return text


class Cidr(str):
    """A network without host bits."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Cidr":
        """Read a network; ValueError if the text is not one."""
        try:
            network = ip_network(str(text), strict=False)
        except ValueError as error:
            msg = f"{text!r} is not a network; write for example 10.1.0.0/16"
            raise ValueError(msg) from error
        try:
            ip_network(str(text))
        except ValueError as error:
            msg = f"{text} has host bits set; write {network}"
            raise ValueError(msg) from error
        return cls(network)

    @property
    def network(self) -> Network:
        """Return the network."""
        return ip_network(str(self))


class HostPort(str):
    """An address and a port, `127.0.0.1:53` or `[::1]:53`; without a port 53."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "HostPort":
        """Read an address and a port; ValueError if the text is not that."""
        matched = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?", str(text))
        port = int(matched[3] or _DNS_PORT) if matched else 0
        try:
            host = ip_address((matched[1] or matched[2]) if matched else "")
        except ValueError as error:
            msg = f"{text!r} is not address:port; write for example 10.96.0.10:53 or [::1]:53"
            raise ValueError(msg) from error
        if not 0 < port <= MAX_PORT:
            msg = f"port {port} of {text} is not between 1 and {MAX_PORT}"
            raise ValueError(msg)
        return cls(f"[{host}]:{port}" if host.version == 6 else f"{host}:{port}")  # noqa: PLR2004

    @property
    def pair(self) -> tuple[str, int]:
        """Return host and port."""
        host, _, port = self.rpartition(":")
        return host.strip("[]"), int(port)


class IpAddress(str):
    """An IP address."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "IpAddress":
        """Read an address; ValueError if the text is not one."""
        try:
            return cls(ip_address(str(text)))
        except ValueError as error:
            msg = f"{text!r} is not an IP address; write for example 10.1.0.7"
            raise ValueError(msg) from error

    @property
    def address(self) -> Address:
        """Return the address."""
        return ip_address(str(self))
