"""What is right in itself, but not with these flags or without a restart, is refused here."""

from exporter.commands.load import RuntimeConfig
from exporter.config.yaml_reader import SettingsError


def refuse_reach(loaded: RuntimeConfig, *, kubeconfig: str | None, context: str | None) -> None:
    """
    Refuse flags that say how to reach an API server, if no API server is used.

    Raises:
        SettingsError: If one of them is given and the inventory is a file.
    """
    given = "--kubeconfig" if kubeconfig is not None else "--context"
    if loaded.settings.inventory.kubernetes is None and (kubeconfig or context) is not None:
        msg = (
            f"{given}: the inventory is {loaded.inventory_file}, so no API server is asked; leave "
            f"{given} out, or write inventory: {{kubernetes: {{}}}}"
        )
        raise SettingsError(msg)


def refuse_change(before: RuntimeConfig, after: RuntimeConfig, *, local: str) -> None:
    """
    Refuse a configuration that needs a restart.

    Args:
        before: The configuration in use.
        after: The new one.
        local: The cluster that this exporter runs in.

    Raises:
        SettingsError: With the key that cannot change.
    """
    old, new = before.settings.inventory.kubernetes, after.settings.inventory.kubernetes
    if (old is None) is not (new is None):
        msg = "inventory: cannot change between static and kubernetes; restart"
        raise SettingsError(msg)
    if after.local not in {before.local, local}:
        msg = f"cluster: cannot change from {local} to {after.local or 'another word'}; restart"
        raise SettingsError(msg)
    if old is not None and new is not None and old.lease != new.lease:
        change = f"from {old.lease or 'none'} to {new.lease or 'none'}"
        msg = f"inventory.kubernetes.lease: cannot change {change}; restart"
        raise SettingsError(msg)
