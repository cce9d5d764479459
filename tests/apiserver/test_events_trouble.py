"""Kubernetes Events when the API server refuses, is away, or when very much happens at once."""

import asyncio

import pytest
from structlog.testing import capture_logs

from exporter.apiserver.events import ASK_AGAIN, BURST, KEEP, MAX_WAITING, PER_SECOND, PROBLEM
from exporter.apiserver.rate_limiter import LONGEST, TokenBucket
from exporter.model.clusterset import ServiceName
from exporter.model.service_events import EventReason
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.described import NAMESPACE, RIGHTS, described, happened, until_told, writing
from tests.fakes.virtual import until


def now():
    return asyncio.get_running_loop().time()


def dropped(logs):
    return [each["service"] for each in logs if each["event"] == "Kubernetes Event was dropped"]


async def test_a_right_that_is_missing_is_one_problem_before_anything_happens(api, cart):
    await api.grant(("list", "services"), ("create", "events"))
    with capture_logs() as logs:
        async with writing(api) as written:
            await until(lambda: written.problems)
            assert written.problems == {
                PROBLEM: "Kubernetes Events cannot be written: no right to patch events in all "
                "namespaces; the chart grants the right with events: true, and "
                "inventory.kubernetes.events: false writes none"
            }
            written.writer.add(happened(text="meanwhile"))
            await asyncio.sleep(3 * ASK_AGAIN)
            await api.grant(*RIGHTS)
            await until_told(api, cart, ("FailedOver", 1, "meanwhile"), within=ASK_AGAIN + 5)
            assert written.problems == {}
    assert len(logs) == 1


async def test_rights_in_its_namespaces_are_enough(api, cart):
    await api.grant(*((*right, NAMESPACE) for right in RIGHTS))
    async with writing(api, NAMESPACE) as written:
        written.writer.add(happened())
        await until_told(api, cart, ("FailedOver", 1, "it moved"))
        assert written.problems == {}
    async with writing(api, NAMESPACE, "other") as written:
        await until(lambda: written.problems)
        assert "create events in namespace other, patch" in written.problems[PROBLEM]


async def test_a_right_that_is_taken_away_costs_one_event_and_no_more(api, cart):
    async with writing(api) as written:
        written.writer.add(happened(text="one"))
        await until_told(api, cart, ("FailedOver", 1, "one"))
        await api.grant()
        with capture_logs() as logs:
            written.writer.add(happened(text="two", at=1))
            await until(lambda: written.problems)
            asked = len(api.server.asked)
            written.writer.add(happened(text="three", at=2))
            await asyncio.sleep(ASK_AGAIN / 2)
            assert len(api.server.asked) == asked
            assert dropped(logs) == [f"{NAMESPACE}/cart"]
        await api.grant(*RIGHTS)
        await until_told(api, cart, ("FailedOver", 2, "three"), within=ASK_AGAIN + 5)


@pytest.mark.parametrize(
    "what", [faults.status(503), faults.status(429, headers={"Retry-After": "5"}), faults.reset]
)
async def test_what_happened_while_the_api_server_is_away_is_written_later(api, cart, what):
    async with writing(api) as written:
        written.writer.add(happened(text="before"))
        await until_told(api, cart, ("FailedOver", 1, "before"))
        api.server.faults = [Fault(what)]
        written.writer.add(happened(text="first", at=1))
        await asyncio.sleep(60)
        written.writer.add(happened(text="second", at=2))
        await asyncio.sleep(60)
        api.server.faults = []
        # Nothing that happened is lost, and the newest words are those that count.
        await until_told(api, cart, ("FailedOver", 3, "second"), within=LONGEST + 5)


async def test_what_cannot_be_written_for_long_is_dropped(api, cart):
    async with writing(api) as written:
        api.server.faults = [Fault(faults.status(503))]
        with capture_logs() as logs:
            written.writer.add(happened(text="old"))
            await asyncio.sleep(KEEP + 60)
            assert dropped(logs) == [f"{NAMESPACE}/cart"]
        api.server.faults = []
        written.writer.add(happened(text="new", at=1))
        await until_told(api, cart, ("FailedOver", 1, "new"))


async def test_an_event_that_is_refused_for_itself_does_not_stop_the_next(api, cart):
    async with writing(api) as written:
        api.server.faults = [Fault(faults.status(422), verb="create", plural="events", times=1)]
        written.writer.add(happened(text="one"))
        written.writer.add(happened(EventReason.FAILED_BACK, "two"))
        await until_told(api, cart, ("FailedBack", 1, "two"))
        assert written.problems == {}


async def test_a_service_that_flaps_is_one_event_and_few_requests(api, cart):
    async with writing(api) as written:
        await until(lambda: api.server.asked)
        api.server.faults = [Fault(faults.late(1), verb="list", plural="services")]
        before, turns = len(api.server.asked), 100
        for n in range(turns):
            written.writer.add(happened(text=f"{n}", at=n))
            written.writer.add(happened(EventReason.FAILED_BACK, f"{n}", at=n))
            await asyncio.sleep(0.01)
        last = f"{turns - 1}"
        await until_told(api, cart, ("FailedOver", turns, last), ("FailedBack", turns, last))
        writes = [each for each in api.server.asked[before:] if each.plural == "events"]
        assert sum(each.method != "GET" for each in writes) <= 6


async def test_much_at_once_is_bounded_and_spread(api):
    await api.grant(*RIGHTS)
    names = [ServiceName(NAMESPACE, f"s{n}") for n in range(MAX_WAITING + 7)]
    async with writing(api) as written:
        with capture_logs() as logs:
            for name in names:
                written.writer.add(happened(service=name))
        assert dropped(logs) == [str(name) for name in names[MAX_WAITING:]]
        began = now()

        def looked():
            return sum(each.plural == "services" for each in api.server.asked)

        await until(lambda: looked() == MAX_WAITING, within=600)
        least = (MAX_WAITING - BURST) / PER_SECOND
        assert least - 1 <= now() - began <= least + 10


async def test_a_bucket_is_full_again_after_a_pause():
    bucket = TokenBucket(3, 2.0)

    async def take(number):
        began = now()
        for _ in range(number):
            await bucket.wait()
        return pytest.approx(now() - began, abs=0.01)

    assert await take(3) == 0
    assert await take(4) == 2
    await asyncio.sleep(60)
    assert await take(3) == 0
    assert await take(1) == 0.5


async def test_without_its_stage_nothing_waits(api, cart):
    async with writing(api) as written:
        pass
    written.writer.add(happened())
    async with writing(api):
        await asyncio.sleep(5)
    assert await described(api, cart) == []
