"""One service, probed once now: is it served where it should be from here, and why."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.commands.check.newest_logs import newest_requests
from exporter.commands.load import RuntimeConfig, load
from exporter.commands.log_hosts import effect, hostless_sources, remedy
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.explain import explain
from exporter.judge.report import Report
from exporter.model.clusterset import Address, Inventory, ServiceName
from exporter.model.probes import NameKind, Probe, Vantage
from exporter.probe.client import ProbeClient
from exporter.probe.drivers.driver import Clock
from exporter.probe.drivers.runner import run_alone
from exporter.probe.plan import ProbePlan
from exporter.probe.probe import Target, probe_once
from exporter.probe.resolve import Server
from exporter.probe.targets import targets
from exporter.web.probes import shown


class UnknownServiceError(SettingsError):
    """The service is not in the inventory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The result of one look."""

    report: Report
    plain: Mapping[str, Probe]
    """The probe of the plain name by each name server."""
    steps: tuple[dict[str, Any], ...] = ()
    """All probes, each with every step, as JSON."""


def read_files(config_file: Path | None, cluster: str | None) -> tuple[RuntimeConfig, Inventory]:
    """Read configuration and inventory; SettingsError if one is wrong."""
    loaded = load(config_file, cluster)
    return loaded, read_inventory(loaded.inventory_file, loaded.local)


def parse_service(text: str) -> ServiceName:
    """Return the service that *text* names; SettingsError if it is not namespace/name."""
    name = ServiceName.parse(text)
    if name is None:
        msg = f"{text}: should be namespace/name"
        raise SettingsError(msg)
    return name


async def look(loaded: RuntimeConfig, inventory: Inventory, service: ServiceName) -> Look:
    """
    Probe all names of *service* once, with each name server, and explain the result.

    Raises:
        UnknownServiceError: If the service is not in the inventory.
        SettingsError: If the service is not probed.
    """
    plain, pinned, replicas = targets_of(loaded, inventory, service)
    plan, known = loaded.probes, inventory.services[service]
    logs = asyncio.to_thread(lambda: dict(newest_requests(loaded, inventory, service)))
    async with asyncio.TaskGroup() as group:
        by_vantage = {
            str(server): group.create_task(_ask(plan, _client(plan, inventory, server), plain))
            for server in plan.resolvers
        }
        client = _client(plan, inventory)
        by_cluster = [group.create_task(_ask(plan, client, target)) for target in pinned]
        by_replica = {
            str(target.server): group.create_task(_ask(plan, client, target)) for target in replicas
        }
        read_logs = group.create_task(logs)
    by_server = {vantage: task.result() for vantage, task in by_vantage.items()}
    pinned_probes = [task.result() for task in by_cluster]
    report = explain(
        inventory,
        known,
        plan.for_service(service).policy,
        plain=by_server,
        pinned=pinned_probes,
        logs=read_logs.result(),
        domain=plan.domain,
        replicas={replica: task.result() for replica, task in by_replica.items()},
        hostless=next(_hostless(loaded, inventory, service), ""),
    )
    steps = (
        shown(each, _destination(inventory, each), plan.domain)
        for each in (*by_server.values(), *pinned_probes)
    )
    return Look(report=report, plain=by_server, steps=tuple(steps))


def targets_of(
    loaded: RuntimeConfig, inventory: Inventory, service: ServiceName
) -> tuple[Target, list[Target], list[Target]]:
    """
    Return the target of the plain name, those of the pinned names, and those of replicas.

    Raises:
        UnknownServiceError: If the service is not in the inventory.
        SettingsError: If the service is not probed.
    """
    if service not in inventory.services:
        known = ", ".join(map(str, inventory.services)) or "none"
        static = loaded.settings.inventory.static is not None
        where = loaded.inventory_file if static else f"what is discovered in {inventory.local}"
        msg = f"{service} is not in {where}; known are {known}"
        raise UnknownServiceError(msg)
    only = replace(inventory, services={service: inventory.services[service]})
    every = list(targets(only, loaded.probes))
    wanted = [target for target in every if target.decides]
    if not wanted:
        by_setting = not loaded.probes.for_service(service).enabled
        why = "probe.services says enabled: false" if by_setting else "an annotation says so"
        msg = f"{service} is not probed: {why}"
        raise SettingsError(msg)
    plain = next(each for each in wanted if each.question.kind is NameKind.PLAIN)
    replicas = [target for target in every if target.vantage is Vantage.LIGHTHOUSE]
    return plain, [target for target in wanted if target is not plain], replicas


def _client(plan: ProbePlan, inventory: Inventory, server: Server | None = None) -> ProbeClient:
    def owner_of(service: ServiceName, address: Address) -> str | None:
        return inventory.services[service].owner_of(address)

    servers = None if server is None else [server]
    return ProbeClient(plan, inventory.local, owner_of, servers)


def _hostless(loaded: RuntimeConfig, inventory: Inventory, name: ServiceName) -> Iterator[str]:
    for source in hostless_sources(loaded.logs, inventory.services[name]):
        annotated = source.pods is not None or source.by_pod
        where = ", unless an annotation of a pod names another format" if annotated else ""
        why = effect([name], inventory.local, loaded.settings.clusterset_domain)
        yield f"log {source.title}: {why}{where}; {remedy(source.form)}"


async def _ask(plan: ProbePlan, client: ProbeClient, target: Target) -> Probe:
    probe = probe_once(
        target, resolve=client.resolve, get=client.get, within=plan.timeout, clock=Clock()
    )
    return await run_alone(probe)


def _destination(inventory: Inventory, probe: Probe) -> str | None:
    service = inventory.services[probe.question.service]
    return service.destination_of(probe.answer.addresses)
