"""What stands behind the gateways: answers by path, and one request that it never answers."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {"/": (200, b"x" * 615), "/fail": (503, b"broken\n"), "/none": (304, b"")}


class Backend:
    """An HTTP server on 127.0.0.1."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        """Set once the request that is never answered has come."""
        self._gone = threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/slow":
                    backend.asked.set()
                    backend._gone.wait(30)
                    return
                status, body = ANSWERS.get(self.path.partition("?")[0], (404, b"not here\n"))
                self.send_response(status)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - http.server's name

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._gone.set()
        self._server.shutdown()
        self._server.server_close()
