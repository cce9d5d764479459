"""A discovery that follows another one, as after a reload."""

import asyncio
import contextlib

import pytest

from exporter.config.label_selector import EVERYTHING
from exporter.discover.kubernetes import KubernetesInventory
from exporter.discover.resources import EVERYWHERE, RESOURCES, Scope
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.members import RULES, Member

DECIDES = {each.name for each in RESOURCES if each.decides}


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


async def recovered(api, scope, token):
    """Return what the first inventory of a new discovery says of resources."""
    made, told = asyncio.Event(), []

    async def changed(_):
        made.set()

    async with api.client(token) as client:
        discovery = KubernetesInventory(
            client,
            setting="cluster1",
            config_map="x",
            selection=EVERYTHING,
            scope=scope,
            unix=lambda: 1.0,
            changed=changed,
            recovered=told.append,
        )
        running = asyncio.create_task(discovery.run())
        await made.wait()
        await asyncio.sleep(0.01)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    return set(told)


@pytest.mark.usefixtures("member")
async def test_what_was_left_stale_is_told_to_be_current(api):
    await api.grant(*RULES)
    assert await recovered(api, EVERYWHERE, EXPORTER) == DECIDES
    # Also what is not watched any more.
    assert await recovered(api, Scope(namespaces=("nginx-test",)), EXPORTER) == DECIDES


@pytest.mark.usefixtures("member")
async def test_what_may_not_be_read_is_not(api):
    await api.grant(*(rule for rule in RULES if rule != ("list", "gateways")))
    assert await recovered(api, EVERYWHERE, EXPORTER) == DECIDES - {"gateways"}
