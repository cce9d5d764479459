"""Options that several commands share."""

from pathlib import Path

import click

config_required = click.option(
    "--config.file",
    "config_file",
    required=True,
    type=click.Path(path_type=Path),
    envvar="CLUSTERSET_EXPORTER_CONFIG_FILE",
    show_envvar=True,
    help="The configuration file; docs/configuration.md describes it.",
)
config_optional = click.option(
    "--config.file",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="CLUSTERSET_EXPORTER_CONFIG_FILE",
    show_envvar=True,
    help="The configuration file; without it everything is discovered in the local cluster.",
)
kubeconfig = click.option(
    "--kubeconfig",
    envvar="CLUSTERSET_EXPORTER_KUBECONFIG",
    show_envvar=True,
    help="The kubeconfig of the API server; default: the pod's account, else kubectl's file.",
)
context = click.option(
    "--context",
    envvar="CLUSTERSET_EXPORTER_CONTEXT",
    show_envvar=True,
    help="The context in the kubeconfig; default: the current one.",
)
cluster = click.option(
    "--cluster",
    envvar=["CLUSTERSET_EXPORTER_CLUSTER", "CLUSTER_NAME"],
    show_envvar=True,
    help="Id of the cluster that this exporter runs in; overrides `cluster:` in the file.",
)
