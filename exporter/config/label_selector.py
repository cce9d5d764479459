"""Selection of services: by namespace, and by labels in the syntax of kubectl."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

_NAME = r"[A-Za-z0-9]([\w./-]*[A-Za-z0-9])?"
_SET = re.compile(rf"(?P<key>{_NAME})\s+(?P<not>not)?in\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(rf"(?P<key>{_NAME})\s*(?P<not>!)?={{1,2}}\s*(?P<values>({_NAME})?)")
_EXISTS = re.compile(rf"(?P<not>!)?\s*(?P<key>{_NAME})")
_BETWEEN = re.compile(r",(?![^()]*\))")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on labels."""

    key: str
    values: frozenset[str] | None
    """The allowed values; None if any value is."""
    negated: bool = False

    def allows(self, labels: dict[str, str]) -> bool:
        """Return True if *labels* satisfy it; a missing label has no value, as in Kubernetes."""
        value = labels.get(self.key)
        holds = value is not None and (self.values is None or value in self.values)
        return holds is not self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The selected services; by default all."""

    namespaces: tuple[str, ...] = ("*",)
    """Shell patterns."""
    labels: tuple[Requirement, ...] = ()

    def wants_namespace(self, namespace: str) -> bool:
        """Return True if services of *namespace* are selected."""
        return any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)

    def wants_labels(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Return True if a service with these labels is selected."""
        if not self.labels:
            return True
        labels = dict(pairs)
        return all(requirement.allows(labels) for requirement in self.labels)


EVERYTHING = Selection()


def parse_selector(selector: str) -> tuple[Requirement, ...]:
    """
    Read a label selector, such as `team=shop,tier in (web, api),!internal`.

    Raises:
        ValueError: If it cannot be read; the message shows what would work.
    """
    return tuple(_requirements(selector)) if selector.strip() else ()


def _requirements(selector: str) -> Iterator[Requirement]:
    for part in _BETWEEN.split(selector):
        for form in (_SET, _EQUAL, _EXISTS):
            matched = form.fullmatch(part.strip())
            if matched is not None:
                break
        else:
            msg = (
                f"{part.strip()!r} is not a label selector; write for example "
                "team=shop, team!=shop, team in (shop, web), team or !team"
            )
            raise ValueError(msg)
        values = matched.groupdict().get("values")
        allowed = None if values is None else frozenset(each.strip() for each in values.split(","))
        yield Requirement(matched["key"], allowed, negated=matched["not"] is not None)
