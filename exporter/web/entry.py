"""Which requests are answered: logins, hosts, pages of other sites, paths and methods."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Middleware

from exporter.web.auth import TooManyLoginsError, WebAuth
from exporter.web.connection import Handler
from exporter.web.token_auth import Access, AccessUnknownError, TooManyReviewsError

RELOAD = "/-/reload"
OPEN = frozenset({"/-/healthy", "/-/ready"})
"""Paths without a password, because a kubelet has none."""
ACTS = frozenset({RELOAD, "/probe"})
"""Paths that make the exporter do something. They are only for a known Host."""
_LOCAL_ZONES = (".localhost", ".svc", ".svc.cluster.local", ".internal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Which requests are let in."""

    auth: WebAuth | None = None
    """Who may come in; None for everybody."""
    lifecycle: bool = False
    """True if a request may reload the configuration."""
    hosts: frozenset[str] = frozenset()
    """Further names of this server, for requests that make it do something."""


def refusing(paths: Mapping[str, Handler], entry: Entry) -> Middleware:
    """Return what refuses a request that *entry* keeps out, and unknown paths and methods."""

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        refused = await _login(request, entry.auth) or _act(request, entry)
        if refused is not None:
            return refused
        # Not caught when aiohttp raises it: its frames would refer in a circle to the request.
        wrong = request.match_info.http_exception
        if isinstance(wrong, web.HTTPNotFound):
            return text(f"Not found. There are: {', '.join(paths)}\n", 404)
        if isinstance(wrong, web.HTTPMethodNotAllowed):
            methods = methods_of(request.path)
            told = f"Method not allowed, only {' and '.join(methods)}.\n"
            return text(told, 405, Allow=", ".join(methods))
        return await handler(request)

    return refuse


def methods_of(path: str) -> tuple[str, ...]:
    """Return the methods that *path* takes."""
    return ("POST", "PUT") if path == RELOAD else ("GET", "HEAD")


async def _login(request: web.Request, auth: WebAuth | None) -> web.Response | None:
    if auth is None or request.path in OPEN:
        return None
    if not auth.within_rate():
        return text("Too Many Requests\n", 429)
    given = request.headers.get("Authorization", "")
    try:
        access = await auth.access(given, request.method, request.path, request.remote or "")
    except (TooManyLoginsError, TooManyReviewsError):
        return text("Too many logins at once.\n", 429, Retry_After="1")
    except AccessUnknownError:
        # The log says why. Who is not known yet learns nothing.
        return text("The API server does not say who may come in.\n", 503, Retry_After="5")
    return _refused(access, auth)


def _refused(access: Access, auth: WebAuth) -> web.Response | None:
    if access is Access.FORBIDDEN:
        return text("Forbidden: the account of this token has no right to this path.\n", 403)
    if access is Access.UNKNOWN:
        return text("Unauthorized\n", 401, WWW_Authenticate=auth.schemes)
    return None


def _act(request: web.Request, entry: Entry) -> web.Response | None:
    """Return the refusal of a request that would make the exporter do something; None for yes."""
    if request.path not in ACTS or request.method not in methods_of(request.path):
        return None
    if request.path == RELOAD and not entry.lifecycle:
        # The status and the words of Prometheus.
        return text("Lifecycle API is not enabled. Start with --web.enable-lifecycle.\n", 403)
    foreign = [
        host for host in request.headers.getall("Host", ()) if not is_ours(host, entry.hosts)
    ]
    if foreign:
        told = f"{foreign[0][:128]!r} is no name of this server; allow it by --web.allowed-host.\n"
        return text(told, 403)
    # A page of some other site must not make a browser do this.
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in {"none", "same-origin"} or origin not in {None, origin_of(request)}:
        return text(f"{request.path} is not for other sites.\n", 403)
    return None


def is_ours(host: str, allowed: frozenset[str]) -> bool:
    """
    Return whether *host*, a Host header, can only mean a server of ours.

    A page of another site can let its own name point to this server (DNS rebinding). The browser
    then takes both for one site, but sends that name as Host. So addresses are ours, and names
    that nobody can register: names without a dot, and names of zones that exist only locally.
    Names in *allowed* are ours too. Vite and webpack's development server do the same.
    """
    name, bracket, rest = host.removeprefix("[").partition("]")
    if not bracket:
        name, _, rest = host.partition(":")
    elif not host.startswith("["):
        return False
    port = rest.removeprefix(":")
    if port and not (port.isascii() and port.isdecimal()):
        return False
    name = name.lower().removesuffix(".")
    try:
        ip_address(name)
    except ValueError:
        return not bracket and ("." not in name or name.endswith(_LOCAL_ZONES) or name in allowed)
    return True


def origin_of(request: web.BaseRequest) -> str:
    """Return the Origin that a browser sends with requests of this server's own pages."""
    return f"{request.scheme}://{request.headers.get('Host', '')}"


def text(body: str, status: int = 200, **headers: str) -> web.Response:
    """Return a plain text; `_` in the names of *headers* is written as `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, text=body, headers=named)
