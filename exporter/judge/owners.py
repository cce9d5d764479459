"""Which cluster owns an address that a name server answered, also for a while after it changed."""

from dataclasses import dataclass, field

from exporter.model.clusterset import Address, Service


@dataclass(slots=True)
class Owners:
    """
    The addresses of one service and who owned them.

    Caches and name servers answer an address for a while after its export is gone or has another
    one. Such an answer still leads to the cluster that owned it.
    """

    _past: dict[Address, tuple[str, float]] = field(default_factory=dict)
    """Addresses that are gone, by whom they belonged to and until when that is remembered."""

    def changed(
        self, before: Service | None, after: Service | None, *, now: float, keep: float
    ) -> None:
        """Remember for *keep* seconds whose addresses *before* had that *after* has not."""
        self._past = {a: past for a, past in self._past.items() if past[1] > now}
        for export in () if before is None else before.exports:
            for address in export.addresses:
                self._past[address] = (export.cluster, now + keep)
        for export in () if after is None else after.exports:
            for address in export.addresses:
                self._past.pop(address, None)

    def owner(self, service: Service, address: Address, now: float) -> str | None:
        """Return the cluster that *address* of *service* leads to, or None if nobody's."""
        if (owner := service.owner_of(address)) is not None:
            return owner
        cluster, until = self._past.get(address, (None, 0.0))
        return cluster if until > now else None
