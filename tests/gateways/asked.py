"""The requests that each gateway is asked, and what a client saw of each answer."""

import socket
from dataclasses import dataclass

HOST = "cart.shop.svc.clusterset.local"
PROBE = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000000-abc)"


@dataclass(frozen=True)
class Asked:
    """A request, and from where it is sent."""

    source: str
    path: str = "/"
    agent: str = "curl/8.5.0"
    method: str = "GET"
    extra: str = ""
    raw: bytes = b""

    @property
    def text(self):
        if self.raw:
            return self.raw
        return (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: {self.agent}\r\n"
            f"{self.extra}Connection: close\r\n\r\n"
        ).encode("latin-1")


REQUESTS = (
    Asked("127.0.1.1"),
    Asked("127.0.1.1", "/?page=2"),
    Asked("127.0.1.2", agent='a "quoted" \\ agent'),
    Asked("127.0.1.2", agent='odd" "x" "y'),
    Asked("127.0.1.3", method="HEAD"),
    Asked("127.0.1.3", "/none"),
    Asked("127.0.1.4", "/missing"),
    Asked("127.0.1.4", "/fail"),
    Asked("127.0.1.5", agent=PROBE),
    Asked("127.0.1.5", agent="kube-probe/1.34"),
    Asked("127.0.1.6", agent="Mozilla/5.0 (X11; Linux) {curly} [square] 100%"),
    Asked("127.0.1.6", extra='Referer: http://x/?q="a" b\r\n'),
    # A user called `we [ird]`, as nginx logs it even where nobody asked for a password.
    Asked("127.0.1.7", extra="Authorization: Basic d2UgW2lyZF06eA==\r\n"),
    Asked("127.0.1.7", agent="caf\xe9 \xff"),
    Asked("127.0.1.8", "/%22%20200%205?x=%0a"),
    Asked("127.0.1.8", agent=""),
    Asked("127.0.1.9", raw=b"GARBAGE\r\n\r\n"),
    Asked("127.0.1.9", raw=b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"),
)


def ask(port, asked):
    """Return what a client sees: source, status, bytes of the body, and the user agent."""
    with socket.create_connection(
        ("127.0.0.1", port), timeout=20, source_address=(asked.source, 0)
    ) as connection:
        connection.sendall(asked.text)
        answer = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    if b"transfer-encoding: chunked" in head.lower():
        body = dechunked(body)
    return {
        "source": asked.source,
        "status": status,
        "size": len(body),
        "agent": "" if asked.raw else asked.agent,
    }


def dechunked(body):
    """Return the body that was sent in chunks."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
        if not length:
            break
    return whole


def leave(port, backend, source="127.0.1.10"):
    """Ask for what is never answered, and go away once the backend was asked."""
    with socket.create_connection(
        ("127.0.0.1", port), timeout=20, source_address=(source, 0)
    ) as connection:
        connection.sendall(Asked(source, "/slow").text)
        if not backend.asked.wait(20):
            msg = "the backend was never asked"
            raise TimeoutError(msg)
    return {"source": source, "status": 0, "size": 0, "agent": "curl/8.5.0"}
