"""Names as DNS messages hold them (RFC 1035, section 4.1.4): text to wire and back."""

MAX_LABEL, MAX_NAME = 63, 255
_POINTER = 0xC0


class MalformedError(Exception):
    """The bytes are not a valid DNS message."""


def encode_name(name: str) -> bytes:
    """Return *name*, absolute with or without its final dot, in wire form."""
    wire = bytearray()
    for label in name.removesuffix(".").encode("ascii").split(b"."):
        if not 0 < len(label) <= MAX_LABEL:
            msg = f"{name!r} has a label that is empty or longer than {MAX_LABEL}"
            raise ValueError(msg)
        wire.append(len(label))
        wire += label
    wire.append(0)
    if len(wire) > MAX_NAME:
        msg = f"{name!r} is longer than {MAX_NAME}"
        raise ValueError(msg)
    return bytes(wire)


class Names:
    """
    Reads the names of one message.

    A name that was read once is remembered, and a pointer only leads back to an earlier name. The
    time for a message is therefore proportional to its length, whatever its pointers are.
    """

    __slots__ = ("_known", "_wire")

    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._known: dict[int, tuple[bytes, int]] = {}

    def read(self, place: int) -> tuple[bytes, int]:
        """Return the name at *place*, lower case, labels joined by dots, and where it ends."""
        wire, passed = self._wire, list[tuple[int, bytes | None]]()
        end, lowest = 0, place
        while place not in self._known:
            if place >= len(wire):
                msg = "a name is cut"
                raise MalformedError(msg)
            size = wire[place]
            if size == 0:
                self._known[place] = (b"", 1)
                end = end or place + 1
            elif size & _POINTER == _POINTER:
                end = end or place + 2
                passed.append((place, None))
                place = lowest = self._target(place, lowest)
            else:
                label = self._label(place, size)
                passed.append((place, label))
                place += size + 1
        return self._join(passed, place), end or self._end(place)

    def _target(self, place: int, lowest: int) -> int:
        if place + 1 >= len(self._wire):
            msg = "a pointer is cut"
            raise MalformedError(msg)
        target = (self._wire[place] & ~_POINTER) << 8 | self._wire[place + 1]
        if target >= lowest:
            msg = "a pointer leads forward or in a circle"
            raise MalformedError(msg)
        return target

    def _label(self, place: int, size: int) -> bytes:
        if size > MAX_LABEL or place + 1 + size > len(self._wire):
            msg = "a label is too long or cut"
            raise MalformedError(msg)
        # A dot inside a label would look like two labels.
        return self._wire[place + 1 : place + 1 + size].lower().replace(b".", rb"\.")

    def _join(self, passed: list[tuple[int, bytes | None]], place: int) -> bytes:
        """Join the labels on the way to *place*, None for a pointer, and remember the names."""
        name, length = self._known[place]
        for at, label in reversed(passed):
            if label is not None:
                name = label + b"." + name if name else label
                length += self._wire[at] + 1
            if length > MAX_NAME:
                msg = "a name is too long"
                raise MalformedError(msg)
            self._known[at] = (name, length)
        return name

    def _end(self, place: int) -> int:
        wire = self._wire
        while size := wire[place]:
            if size & _POINTER == _POINTER:
                return place + 2
            place += size + 1
        return place + 1
