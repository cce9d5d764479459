"""What `check` and `drill` share: the service, and the options that say where it is known from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from exporter.cli import options
from exporter.commands.check.cluster import Reach
from exporter.commands.check.service import parse_service
from exporter.commands.load import RuntimeConfig, load
from exporter.commands.refuse import refuse_reach
from exporter.model.clusterset import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedService:
    """A service, and the files or the API server that know it; see the options of these names."""

    config_file: Path | None
    cluster: str | None
    kubeconfig: str | None
    context: str | None
    service: str

    @property
    def name(self) -> ServiceName:
        """Return the service; SettingsError if it is not namespace/name."""
        return parse_service(self.service)

    def load(self) -> RuntimeConfig:
        """Read the configuration; SettingsError if it or a flag beside it cannot be used."""
        loaded = load(self.config_file, self.cluster)
        refuse_reach(loaded, kubeconfig=self.kubeconfig, context=self.context)
        return loaded

    @property
    def reach(self) -> Reach:
        """Return how the API server is reached."""
        return Reach(kubeconfig=self.kubeconfig, context=self.context)


def of_a_service(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* the options and the argument; it takes them as `wanted`."""

    @wraps(command)
    def with_service(
        *,
        config_file: Path | None,
        cluster: str | None,
        kubeconfig: str | None,
        context: str | None,
        service: str,
        **others: Any,  # noqa: ANN401 - the command's own
    ) -> None:
        wanted = WantedService(
            config_file=config_file,
            cluster=cluster,
            kubeconfig=kubeconfig,
            context=context,
            service=service,
        )
        command(wanted=wanted, **others)

    decorated: Callable[..., None] = with_service
    argument = click.argument("service", metavar="NS/NAME")
    shared = (
        options.config_optional,
        options.cluster,
        options.kubeconfig,
        options.context,
        argument,
    )
    for each in reversed(shared):
        decorated = each(decorated)
    return decorated
