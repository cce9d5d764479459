"""Reviews of tokens: what is asked, and what an API server that does not answer well leads to."""

import json

import pytest

from exporter.commands.run.token_review import reviewing
from exporter.web.token_auth import Access, AccessUnknownError
from tests.apiserver.conftest import FakeAccess
from tests.fakes import apifaults as faults
from tests.fakes import certs
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running

TOKENS, RIGHTS = "tokenreviews", "subjectaccessreviews"


@pytest.fixture
async def api():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        yield FakeAccess(server)


async def test_the_account_and_its_right_are_asked_for(api):
    token = await api.account("scraper", "/metrics")
    async with api.client() as client:
        review = reviewing(client)
        assert await review(token, "get", "/metrics") is Access.ALLOWED
        assert await review(token, "post", "/metrics") is Access.FORBIDDEN
        assert await review(token, "get", "/metrics/") is Access.FORBIDDEN
        assert await review("other", "get", "/metrics") is Access.UNKNOWN
    asked = [each.plural for each in api.server.asked]
    assert asked == [TOKENS, RIGHTS, TOKENS, RIGHTS, TOKENS, RIGHTS, TOKENS]


@pytest.mark.parametrize(
    ("plural", "answer", "access"),
    [
        (TOKENS, {}, None),
        (TOKENS, {"status": {}}, Access.UNKNOWN),
        (TOKENS, {"status": {"authenticated": True}}, Access.UNKNOWN),
        (TOKENS, {"status": {"user": {"username": "admin"}}}, Access.UNKNOWN),
        (TOKENS, {"status": {"authenticated": "true", "user": {"username": "admin"}}}, None),
        (RIGHTS, {}, None),
        (RIGHTS, {"status": {}}, Access.FORBIDDEN),
        (RIGHTS, {"status": {"allowed": "yes"}}, None),
        (RIGHTS, {"status": {"allowed": True, "denied": True}}, Access.FORBIDDEN),
        (RIGHTS, {"status": [True]}, None),
    ],
)
async def test_an_odd_answer_lets_nobody_in(api, plural, answer, access):
    token = await api.account("scraper", "/metrics")
    api.server.faults.append(Fault(faults.ok(json.dumps(answer).encode()), plural=plural))
    async with api.client() as client:
        try:
            found = await reviewing(client)(token, "get", "/metrics")
        except AccessUnknownError:
            found = None
    assert found is access


@pytest.mark.parametrize("plural", [TOKENS, RIGHTS])
@pytest.mark.parametrize(
    "what",
    [faults.status(503), faults.status(403), faults.status(401), faults.status(500, html=True)],
)
async def test_no_answer_is_no_verdict(api, plural, what):
    token = await api.account("scraper", "/metrics")
    api.server.faults.append(Fault(what, plural=plural))
    async with api.client() as client:
        with pytest.raises(AccessUnknownError, match=plural) as caught:
            await reviewing(client)(token, "get", "/metrics")
    assert token not in str(caught.value)
