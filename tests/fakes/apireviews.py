"""Reviews of others, as a real API server answers: who bears a token, what an account may do."""

from aiohttp import web

KINDS = {"tokenreviews", "subjectaccessreviews"}
UID = "6d1f8f2c-7a1c-4a6e-9e3b-0a7f6a1f9a10"


def answer(server, plural, body):
    status = _token(server, body) if plural == "tokenreviews" else _access(server, body)
    return web.json_response(body | {"status": status}, status=201)


def _token(server, body):
    user = server.tokens.get(body["spec"]["token"])
    if user is None:
        return {"user": {}, "error": "[invalid bearer token, token lookup failed]"}
    groups = ["system:serviceaccounts", "system:authenticated"]
    extra = {"authentication.kubernetes.io/credential-id": ["JTI=1"]}
    found = {"username": user, "uid": UID, "groups": groups, "extra": extra}
    return {"authenticated": True, "user": found, "audiences": ["https://kubernetes.default.svc"]}


def _access(server, body):
    spec = body["spec"]
    assert spec["uid"] == UID
    assert "system:authenticated" in spec["groups"]
    wanted = spec["nonResourceAttributes"]
    allowed = (wanted["verb"], wanted["path"]) in server.urls.get(spec["user"], ())
    return {"allowed": allowed, "reason": "" if allowed else "no rule allows it"}
