"""What the settings classes share: the check of a condition, and defaults of our own types."""

from typing import Any

from msgspec import field

from exporter.config.yaml_reader import SettingsError


def require(condition: object, message: str) -> None:
    """Raise a SettingsError with *message* unless *condition* is true."""
    if not condition:
        raise SettingsError(message)


def default(value: Any, name: str | None = None) -> Any:  # noqa: ANN401 - as msgspec's field
    """
    Return a field with the default *value*.

    It uses a factory, because msgspec cannot write a default of our own types into a JSON Schema.
    """
    return field(default_factory=lambda: value, name=name)
