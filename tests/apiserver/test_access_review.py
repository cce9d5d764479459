"""Reviews of tokens by an API server that is slow, in time that does not pass."""

import asyncio
from functools import partial

import pytest

from exporter.apiserver.access_review import WITHIN, User, may_request, review_token
from exporter.apiserver.errors import ApiError, ErrorKind
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault


@pytest.mark.parametrize("what", [faults.hang, faults.hang_after_headers])
@pytest.mark.parametrize("plural", ["tokenreviews", "subjectaccessreviews"])
async def test_a_server_that_hangs_is_waited_for_only_so_long(api, plural, what):
    token = await api.account("scraper", "/metrics")
    api.server.faults.append(Fault(what, plural=plural))
    async with api.client() as client:
        asks = {
            "tokenreviews": partial(review_token, client, token),
            "subjectaccessreviews": partial(
                may_request, client, User(username="x"), "get", "/metrics"
            ),
        }
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError) as caught:
            await asks[plural]()
        assert asyncio.get_running_loop().time() - began == pytest.approx(WITHIN, abs=0.1)
    assert caught.value.kind is ErrorKind.UNREACHABLE
    assert token not in caught.value.message


async def test_a_token_that_the_server_refuses_is_not_taken_for_ours(api):
    """A 401 means that our own token is refused. The reviewed one is data."""
    async with api.client() as client:
        assert await review_token(client, "no token of this server") is None
        assert client.auth_errors == 0
