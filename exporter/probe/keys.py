"""The keys of probes, as operators write them: one a line, the first one signs, all are valid."""

from exporter.config.yaml_reader import SettingsError
from exporter.probe.identity import MAX_KEYS


def parse_keys(text: str, *, source: str) -> tuple[bytes, ...]:
    """
    Return the keys in *text*.

    Args:
        text: One key a line. Empty lines and spaces around a key do not count.
        source: The name of the file, which begins error messages. They contain nothing of a key.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    keys = tuple(dict.fromkeys(line.strip().encode() for line in text.splitlines() if line.strip()))
    if not keys:
        msg = f"{source}: is empty; write the key that all exporters share"
        raise SettingsError(msg)
    if len(keys) > MAX_KEYS:
        msg = (
            f"{source}: has {len(keys)} keys, one a line; at most {MAX_KEYS} can be valid at "
            "once, so keep the one that signs first and delete the oldest"
        )
        raise SettingsError(msg)
    return keys
