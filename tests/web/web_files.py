"""One table of web configuration files and requests, for this server and for a real one of Go."""

import asyncio
import base64
import http.client
import ssl
from dataclasses import dataclass

import bcrypt
import trustme

PASSWORD = "secret"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
TLS = "cert_file: server.pem, key_file: server.key"
CA = "client_ca_file: ca.pem"
VERIFY = f"client_auth_type: RequireAndVerifyClientCert, {CA}"
REFUSED = "refused"
CLOSED = None
"""The connection ends without an answer."""


@dataclass(frozen=True)
class Case:
    """A file, and what each request gets."""

    name: str
    text: str
    """The file; {cert}, {key} and {ca} are PEM texts in quotes."""
    outcomes: object
    """The status of each request, or REFUSED with a part of the message."""
    go: object = "same"
    """What node_exporter does, where it is not the same; None where 1.5 does not know the key."""
    header: tuple[str, str] | None = None
    """A header that each answer has."""


def refused(told, go="same"):
    return (REFUSED, told), go


def tls(rest=""):
    return f"tls_server_config: {{{TLS}{rest}}}\n"


def case(name, text, outcomes, go="same", **more):
    if isinstance(outcomes, tuple):
        outcomes, go = outcomes
    return Case(name, text, outcomes, go, **more)


OPEN = {"https": 200, "cert": 200, "stranger": 200, "http": 400}
BEYOND = {"https": 200, "cert": 200}
"""What node_exporter does with a value that is refused here."""
CASES = [
    case("empty settings", "basic_auth_users: {}\n", {"http": 200}),
    case("tokens", "kubernetes: {}\n", {"http": 401, "alice": 401}, None),
    case("TLS", tls(), OPEN),
    case("no settings of TLS", "tls_server_config: {}\n", {"http": 200}),
    case("a version alone is no TLS", "tls_server_config: {min_version: TLS13}\n", {"http": 200}),
    case("inline", "tls_server_config: {cert: {cert}, key: {key}}\n", OPEN, None),
    case("inline key", "tls_server_config: {cert_file: server.pem, key: {key}}\n", OPEN, None),
    case("no key", "tls_server_config: {cert_file: server.pem}\n", refused("key_file and key")),
    case("no file", tls().replace("server.pem", "x.pem"), refused("x.pem: there is no such file")),
    case("two certificates", tls(", cert: {cert}"), refused("exclude each other", None)),
    case("unknown key", tls(", ca: x"), refused("unknown key 'ca'")),
    case("no client certificate", tls(", client_auth_type: NoClientCert"), OPEN),
    case(
        "client certificate that is requested", tls(", client_auth_type: RequestClientCert"), OPEN
    ),
    case(
        "any client certificate",
        tls(", client_auth_type: RequireAnyClientCert"),
        refused(
            "RequireAndVerifyClientCert works", {"https": CLOSED, "cert": 200, "stranger": 200}
        ),
    ),
    case(
        "client certificate that is verified if given",
        tls(f", client_auth_type: VerifyClientCertIfGiven, {CA}"),
        {"https": 200, "cert": 200, "stranger": CLOSED},
    ),
    case(
        "client certificate that is required",
        tls(f", {VERIFY}"),
        {"https": CLOSED, "cert": 200, "stranger": CLOSED},
    ),
    case(
        "inline authority",
        tls(", client_auth_type: RequireAndVerifyClientCert, client_ca: {ca}"),
        {"https": CLOSED, "cert": 200, "stranger": CLOSED},
        None,
    ),
    case("authority alone", tls(f", {CA}"), refused("a client_auth_type that verifies")),
    case("unknown client_auth_type", tls(", client_auth_type: Maybe"), refused("should be one of")),
    *(
        case(f"allowed name {san}", tls(f', {VERIFY}, client_allowed_sans: ["{san}"]'), told, None)
        for san, told in (
            ("client.example", {"https": CLOSED, "cert": 200}),
            ("10.1.2.3", {"cert": 200}),
            ("fd00::7", {"cert": 200}),
            ("me@client.example", {"cert": 200}),
            ("other.example", {"cert": CLOSED}),
            ("Client.example", {"cert": CLOSED}),
        )
    ),
    case(
        "allowed names without certificates",
        tls(", client_allowed_sans: [a]"),
        refused("client_allowed_sans needs client_auth_type", None),
    ),
    case("at least 1.3", tls(", min_version: TLS13"), {"tls12": CLOSED, "tls13": 200}),
    case("at most 1.2", tls(", max_version: TLS12"), {"tls12": 200, "tls13": CLOSED}),
    case("at least 1.0", tls(", min_version: TLS10"), refused("TLS12 works", BEYOND)),
    case("at least 1.4", tls(", min_version: TLS14"), refused("should be one of TLS12, TLS13")),
    case(
        "versions the wrong way round",
        tls(", min_version: TLS13, max_version: TLS12"),
        refused("max_version is older", {"tls12": CLOSED, "tls13": CLOSED}),
    ),
    case(
        "one suite",
        tls(", cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"),
        {"aes128": 200, "aes256": CLOSED, "tls13": 200},
    ),
    case(
        "a suite of 1.3 alone",
        # Go demands a suite of TLS 1.2 for HTTP/2.
        tls(", cipher_suites: [TLS_AES_128_GCM_SHA256]") + "http_server_config: {http2: false}\n",
        {"tls12": CLOSED, "tls13": 200},
    ),
    case(
        "an insecure suite", tls(", cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"), refused("one of")
    ),
    case("server preference", tls(", prefer_server_cipher_suites: true"), OPEN),
    case("client preference", tls(", prefer_server_cipher_suites: false"), OPEN),
    case("one curve", tls(", curve_preferences: [CurveP384]"), {"p384": 200, "p256": CLOSED}),
    case(
        "two curves",
        tls(", curve_preferences: [CurveP384, X25519]"),
        refused("takes only one", {"p384": 200, "p256": CLOSED}),
    ),
    case("unknown curve", tls(", curve_preferences: [P1]"), refused("should be one of CurveP256")),
    case("HTTP/2", tls() + "http_server_config: {http2: true}\n", OPEN),
    case("no HTTP/2", tls() + "http_server_config: {http2: false}\n", OPEN),
    *(
        case(
            f"header {name}",
            f'http_server_config: {{headers: {{{name}: "{value}"}}}}\n',
            {"http": 200},
            header=(name, value),
        )
        for name, value in (
            ("Strict-Transport-Security", "max-age=60"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "deny"),
            ("X-XSS-Protection", "0"),
            ("Content-Security-Policy", "default-src 'self'"),
        )
    ),
    *(
        case(
            f"header {header} is not good",
            f"http_server_config: {{headers: {{{header}}}}}\n",
            refused("should be one of"),
        )
        for header in ("X-Other: a", "X-Frame-Options: allow", "X-Content-Type-Options: sniff")
    ),
    case(
        "passwords",
        f'basic_auth_users: {{alice: "{HASH}"}}\n',
        {"http": 401, "alice": 200, "wrong": 401, "bob": 401},
    ),
    case("no hash", "basic_auth_users: {alice: secret}\n", refused("alice is not a bcrypt hash")),
    case(
        "rate limit",
        "rate_limit: {interval: 1h, burst: 2}\n",
        [("http", 200), ("http", 200), ("http", 429)],
        None,
    ),
    case("no burst", "rate_limit: {interval: 1h}\n", refused("burst should be at least 1", None)),
]


class Folder:
    """A folder with certificates, and the clients that know their authority."""

    def __init__(self, path):
        self.path = path
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        server = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
        self.pem = {
            "cert": server.cert_chain_pems[0].bytes().decode(),
            "key": server.private_key_pem.bytes().decode(),
            "ca": authority.cert_pem.bytes().decode(),
        }
        for name, pem in (("server.pem", "cert"), ("server.key", "key"), ("ca.pem", "ca")):
            (path / name).write_text(self.pem[pem])
        self.authority = authority
        names = "client.example", "10.1.2.3", "fd00::7", "me@client.example"
        self.certificates = {
            "cert": authority.issue_cert(*names),
            "stranger": trustme.CA().issue_cert(*names),
        }

    def write(self, text):
        for name, pem in self.pem.items():
            quoted = '"{}"'.format(pem.replace("\n", "\\n"))
            text = text.replace(f"{{{name}}}", quoted)
        path = self.path / "web.yaml"
        path.write_text(text)
        return path

    def context(self, client):
        made = ssl.create_default_context()
        self.authority.configure_trust(made)
        if client in self.certificates:
            self.certificates[client].configure_cert(made)
        if client == "tls13":
            made.minimum_version = ssl.TLSVersion.TLSv1_3
        if client in {"tls12", "aes128", "aes256"}:
            made.maximum_version = ssl.TLSVersion.TLSv1_2
        if client in {"aes128", "aes256"}:
            made.set_ciphers(
                f"ECDHE-ECDSA-{client.upper()}-GCM-SHA{384 if '256' in client else 256}"
            )
        if client in {"p256", "p384"}:
            made.set_ecdh_curve({"p256": "prime256v1", "p384": "secp384r1"}[client])
        return made

    async def ask(self, port, client):
        """Return the status and the headers that a client gets; None if there is no answer."""
        return await asyncio.to_thread(self._ask, port, client)

    def _ask(self, port, client):
        users = {"alice": f"alice:{PASSWORD}", "wrong": "alice:x", "bob": f"bob:{PASSWORD}"}
        if client == "http" or client in users:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        else:
            context = self.context(client)
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        headers = {}
        if client in users:
            coded = base64.b64encode(users[client].encode()).decode()
            headers = {"Authorization": f"Basic {coded}"}
        try:
            connection.request("GET", "/metrics", headers=headers)
            reply = connection.getresponse()
        except (OSError, http.client.HTTPException):
            return None, {}
        else:
            reply.read()
            return reply.status, reply.headers
        finally:
            connection.close()


async def check(folder, port, outcomes, header):
    """Send the requests and compare what they get."""
    wanted = list(outcomes.items()) if isinstance(outcomes, dict) else outcomes
    got = []
    for client, _ in wanted:
        status, headers = await folder.ask(port, client)
        got.append((client, status))
        if header is not None:
            assert headers[header[0]] == header[1]
    assert got == wanted
