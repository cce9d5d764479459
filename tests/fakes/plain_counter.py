"""
The same counts by other means: one line, one character at a time, no regular expression.

Slow and plain on purpose: `exporter.accesslog.counter` is held to it.
"""


class _NotAccessError(Exception):
    pass


def _wants(condition):
    if not condition:
        raise _NotAccessError


class _Cursor:
    def __init__(self, line):
        self.line, self.at = line, 0

    def until(self, stop, *, empty=True):
        end = self.line.find(stop, self.at)
        _wants(end > self.at or (end == self.at and empty))
        part, self.at = self.line[self.at : end], end
        return part

    def literal(self, text):
        _wants(self.line.startswith(text, self.at))
        self.at += len(text)

    def take(self, number):
        _wants(self.at + number <= len(self.line))
        self.at += number
        return self.line[self.at - number : self.at]

    def digits(self):
        start = self.at
        while self.line[self.at : self.at + 1] in {bytes([d]) for d in b"0123456789"}:
            self.at += 1
        _wants(self.at > start)
        return self.line[start : self.at]


def parse(line, name):
    """Return address, status, bytes, user agent and forwarded of a line, or None."""
    cursor = _Cursor(line)
    try:
        address = cursor.until(b" ", empty=False)
        cursor.literal(b" - ")
        # A user may hold brackets and no quote: it ends where a time and a quote follow.
        while not (line[cursor.at :][:2] == b" [" and line[cursor.at :][28:31] == b'] "'):
            _wants(cursor.take(1) not in {b'"', b"\n"})
        cursor.literal(b" [")
        _wants(b"\n" not in cursor.take(26))
        cursor.literal(b'] "')
        cursor.until(b'"')
        cursor.literal(b'" ')
        status = cursor.digits()
        _wants(len(status) == 3)
        cursor.literal(b" ")
        size = cursor.digits()
        cursor.literal(b' "')
        cursor.until(b'"')
        cursor.literal(b'" "')
        agent = cursor.until(b'"')
        cursor.literal(b'"')
        forwarded = b""
        if name == "main":
            cursor.literal(b' "')
            forwarded = cursor.until(b'"')
            cursor.literal(b'"')
        _wants(cursor.at == len(line))
    except _NotAccessError:
        return None
    return address, status, size, agent, forwarded


def count(block, name, ignored=(b"kube-probe/",)):
    """Return (lines, other, ignored, probes, {address: [requests, failures, bytes]})."""
    lines = block.split(b"\n")[:-1]
    other = skipped = probes = 0
    clients = {}
    for line in lines:
        parsed = parse(line, name)
        if parsed is None:
            other += 1
            continue
        address, status, size, agent, _ = parsed
        if agent.startswith(b"clusterset-exporter/"):
            probes += 1
        elif any(agent.startswith(each) for each in ignored):
            skipped += 1
        else:
            sums = clients.setdefault(address.decode("ascii", "replace"), [0, 0, 0])
            sums[0] += 1
            sums[1] += status >= b"5"
            sums[2] += int(size)
    return len(lines), other, skipped, probes, clients
