"""Kubernetes Events about Services; these tests are run on a real API server too."""

from exporter.apiserver.event_body import MAX_NOTE, note
from exporter.model.clusterset import ServiceName
from exporter.model.service_events import EventReason
from tests.fakes.described import EVENTS, NAMESPACE, described, happened, until_told, writing


async def test_kubectl_describe_finds_what_happened_at_the_service(api, cart):
    async with writing(api) as written:
        written.writer.add(happened(text="Clients in cluster east are now served by west"))
        await until_told(
            api, cart, ("FailedOver", 1, "Clients in cluster east are now served by west")
        )
        written.writer.add(happened(EventReason.FAILED_BACK, "back", at=60))
        await until_told(
            api,
            cart,
            ("FailedOver", 1, "Clients in cluster east are now served by west"),
            ("FailedBack", 1, "back"),
        )
    over, back = await described(api, cart)
    assert (over["type"], back["type"]) == ("Warning", "Normal")
    assert over["source"] == {"component": "clusterset-exporter"}
    assert over["reportingInstance"] == "exporter-0"
    assert over["firstTimestamp"] == over["lastTimestamp"] == "2027-01-15T08:00:00Z"


async def test_the_same_reason_again_is_the_same_event_with_a_count(api, cart):
    async with writing(api) as written:
        for n in range(3):
            written.writer.add(happened(text=f"move {n}", at=60 * n))
            await until_told(api, cart, ("FailedOver", n + 1, f"move {n}"))
    (found,) = await described(api, cart)
    assert found["firstTimestamp"] == "2027-01-15T08:00:00Z"
    assert found["lastTimestamp"] == "2027-01-15T08:02:00Z"


async def test_another_replica_counts_on(api, cart):
    async with writing(api) as written:
        written.writer.add(happened(text="one"))
        await until_told(api, cart, ("FailedOver", 1, "one"))
    async with writing(api, instance="exporter-1") as written:
        written.writer.add(happened(text="two", at=1))
        await until_told(api, cart, ("FailedOver", 2, "two"))
        written.writer.add(happened(text="three", at=2))
        await until_told(api, cart, ("FailedOver", 3, "three"))


async def test_leaks_of_two_clusters_are_two_events(api, cart):
    async with writing(api) as written:
        for n, source in enumerate(("east", "north")):
            written.writer.add(happened(EventReason.LEAK_BEGAN, source, source=source, at=n))
        await until_told(api, cart, ("LeakBegan", 1, "east"), ("LeakBegan", 1, "north"))


async def test_an_event_that_is_gone_begins_anew(api, cart):
    async with writing(api) as written:
        written.writer.add(happened(text="one"))
        await until_told(api, cart, ("FailedOver", 1, "one"))
        (found,) = await described(api, cart)
        await api.done("DELETE", f"{EVENTS}/{found['metadata']['name']}")
        written.writer.add(happened(text="two", at=1))
        await until_told(api, cart, ("FailedOver", 1, "two"))


async def test_a_long_message_is_cut_and_a_service_that_is_not_there_is_passed_over(api, cart):
    async with writing(api) as written:
        nobody = ServiceName(NAMESPACE, "nobody")
        written.writer.add(happened(service=nobody))
        long = "ü" * 2000
        written.writer.add(happened(text=long))
        await until_told(api, cart, ("FailedOver", 1, note(long)))
    assert len(note(long).encode()) in {MAX_NOTE, MAX_NOTE - 1}
    assert len((await api.done("GET", EVENTS))["items"]) == 1
