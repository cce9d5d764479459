"""Bearer tokens: what is remembered, for how long, and who waits for whom."""

import asyncio

import pytest
from structlog.testing import capture_logs

from exporter.config.yaml_reader import SettingsError
from exporter.web.auth import WebAuth
from exporter.web.token_auth import (
    ALLOWED_SECONDS,
    FORBIDDEN_SECONDS,
    MAX_REMEMBERED,
    MAX_TOKEN,
    MAX_WAITING,
    REVIEWS_AT_ONCE,
    SAID_SECONDS,
    Access,
    AccessUnknownError,
    TokenAuth,
    TooManyReviewsError,
)
from tests.web.test_auth import USERS, guarded, login, status, write


class Server:
    """Answers reviews, and counts them."""

    def __init__(self):
        self.now, self.asked, self.down = 0.0, [], False
        self.answers = {"good": Access.ALLOWED, "poor": Access.FORBIDDEN}
        self.auth = TokenAuth(self.review, lambda: self.now)

    async def review(self, token, verb, path):
        self.asked.append((token, verb, path))
        if self.down:
            msg = "no answer"
            raise AccessUnknownError(msg)
        return self.answers.get(token, Access.UNKNOWN)

    async def come(self, token, method="GET", path="/metrics"):
        return await self.auth.access(token, method, path)


async def test_answers_about_known_accounts_are_remembered_for_a_short_time():
    server = Server()
    for token, seconds in (("good", ALLOWED_SECONDS), ("poor", FORBIDDEN_SECONDS)):
        found = server.answers[token]
        assert [await server.come(token), await server.come(token, "HEAD")] == [found] * 2
        server.now += seconds - 0.1
        assert await server.come(token) is found
        assert server.asked == [(token, "get", "/metrics")]
        server.now += 0.1
        assert await server.come(token) is found
        assert len(server.asked) == 2
        server.asked.clear()


async def test_an_answer_is_for_one_path_and_one_verb():
    server = Server()
    await server.come("good")
    await server.come("good", path="/probe")
    await server.come("good", "POST", "/-/reload")
    assert server.asked[1:] == [("good", "get", "/probe"), ("good", "post", "/-/reload")]


@pytest.mark.parametrize("token", ["", "x" * (MAX_TOKEN + 1), "a b", "é", "a\n"])
async def test_what_cannot_be_a_token_asks_nobody(token):
    server = Server()
    assert await server.come(token) is Access.UNKNOWN
    assert server.asked == []


async def test_a_token_that_is_withdrawn_is_forgotten():
    server = Server()
    await server.come("good")
    server.answers.clear()
    server.now += ALLOWED_SECONDS
    assert await server.come("good") is Access.UNKNOWN
    server.down = True
    with pytest.raises(AccessUnknownError):
        await server.come("good")


async def test_invalid_tokens_are_not_remembered_and_push_no_valid_one_out():
    server = Server()
    await server.come("good")
    for n in range(MAX_REMEMBERED + 1):
        assert await server.come(f"bad{n}") is Access.UNKNOWN
    server.asked.clear()
    assert await server.come("good") is Access.ALLOWED
    assert server.asked == []
    for n in range(MAX_REMEMBERED):
        await server.come("good", path=f"/{n}")
    server.asked.clear()
    await server.come("good")
    assert len(server.asked) == 1, "the oldest of too many answers should be forgotten"


async def test_without_an_api_server_only_what_is_remembered_comes_in():
    server = Server()
    await server.come("good")
    server.down = True
    assert await server.come("good") is Access.ALLOWED
    for token in ("new", "good"):
        server.now += ALLOWED_SECONDS
        with pytest.raises(AccessUnknownError):
            await server.come(token)


async def test_failures_are_logged_once_in_a_while_with_a_count_of_the_others():
    server = Server()
    server.down = True
    with capture_logs() as said:
        for seconds in (0.0, 1.0, SAID_SECONDS - 1.1, 0.1):
            server.now += seconds
            with pytest.raises(AccessUnknownError):
                await server.come(f"{seconds}")
    events = [(each["event"], each["left_out"]) for each in said]
    assert events == [("access review failed", 0), ("access review failed", 2)]


async def test_strangers_wait_for_few_reviews_and_a_known_token_for_nobody():
    go_on, at_once, most = asyncio.Event(), [], []
    server = Server()

    async def review(token, verb, path):
        at_once.append(token)
        most.append(len(at_once))
        if token != "good":
            await go_on.wait()
        at_once.remove(token)
        return await Server.review(server, token, verb, path)

    server.auth = TokenAuth(review, lambda: server.now)
    assert await server.come("good") is Access.ALLOWED
    flood = [asyncio.create_task(server.come(f"bad{n}")) for n in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyReviewsError):
        await server.come("another")
    assert max(most) == REVIEWS_AT_ONCE
    server.now += ALLOWED_SECONDS
    assert await server.come("good") is Access.ALLOWED
    go_on.set()
    assert await asyncio.gather(*flood) == [Access.UNKNOWN] * MAX_WAITING


def bearer(token):
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def test_tokens_and_passwords_side_by_side(tmp_path):
    server = Server()
    async with guarded(write(tmp_path, f"kubernetes: {{}}\n{USERS}")) as (where, auth):
        auth.review_by(server.review)
        url = f"http://{where}/metrics"
        assert await status(url, **bearer("good")) == 200
        assert await status(url, **bearer("poor")) == 403
        assert await status(url, **bearer("bad")) == 401
        assert await status(url, **login("alice", "secret")) == 200
        assert await status(url, **login("alice", "good")) == 401
        assert await status(url) == 401
        assert auth.schemes == "Basic, Bearer"


async def test_a_file_without_users_lets_no_password_in(tmp_path):
    async with guarded(write(tmp_path, "kubernetes: {}\n")) as (where, auth):
        url = f"http://{where}/metrics"
        assert [await status(url), await status(url, **login("", ""))] == [401, 401]
        assert auth.schemes == "Bearer"


async def test_nothing_is_open_while_nobody_can_be_asked(tmp_path):
    async with guarded(write(tmp_path, "kubernetes: {}\n")) as (where, _):
        paths = ("/metrics", "/", "/api/v1/status", "/api/v1/probes", "/no-such-path")
        closed = [await status(f"http://{where}{path}", **bearer("good")) for path in paths]
        assert closed == [503] * len(paths)
        assert await status(f"http://{where}/-/healthy") == 200
        assert await status(f"http://{where}/-/ready") == 200


async def test_turning_tokens_on_needs_a_restart_and_turning_them_off_does_not(tmp_path):
    server, path = Server(), write(tmp_path, USERS)
    async with guarded(path) as (where, auth):
        url = f"http://{where}/metrics"
        path.write_text("kubernetes: {}\n")
        await asyncio.to_thread(auth.refresh)
        assert await status(url, **login("alice", "secret")) == 200
        auth.review_by(server.review)
        path.write_text("kubernetes: {}\n\n")
        await asyncio.to_thread(auth.refresh)
        assert await status(url, **login("alice", "secret")) == 401
        assert await status(url, **bearer("good")) == 200
        path.write_text(USERS)
        await asyncio.to_thread(auth.refresh)
        assert await status(url, **bearer("good")) == 401


@pytest.mark.parametrize(
    "text", ["kubernetes:\n", "kubernetes: null\n", "kubernetes: {audience: x}\n"]
)
def test_a_key_that_would_open_the_door_is_refused(tmp_path, text):
    with pytest.raises(SettingsError, match="kubernetes"):
        WebAuth(write(tmp_path, text))
