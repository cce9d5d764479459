"""Write the files that are rendered from the chart. With --check, only report outdated files."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import exporter

DEPLOY = Path(__file__).parent
ROOT = DEPLOY.parent
CHART = DEPLOY / "helm" / "clusterset-exporter"
NAME = "clusterset-exporter"
HEAD = "# Rendered from deploy/helm by `make deploy`; do not edit.\n"
KUBERNETES = "1.34.0"
_KEY = re.compile(r"^( *)([a-zA-Z]+):(?: (.*))?$")
_OF_HELM = re.compile(
    r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n|^# Source: .*\n", re.MULTILINE
)


def helm(*arguments: str) -> str:
    """Run the Helm of tests/install-helm and return what it prints."""
    found = subprocess.run(
        [ROOT / "tests" / "install-helm", "--find"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return subprocess.run([found, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def rendered(chart: Path, *settings: str, only: tuple[str, ...] = ()) -> str:
    """Return the objects of *chart*, or those of some of its templates, without marks of Helm."""
    sets = [part for each in settings for part in ("--set", each)]
    shows = [part for each in only for part in ("-s", f"templates/{each}.yaml")]
    text = helm(
        *("template", NAME, str(chart), "--namespace", NAME, "--kube-version", KUBERNETES),
        *(*sets, *shows),
    )
    return HEAD + _OF_HELM.sub("", text)


def namespace() -> str:
    """Return the exporter's namespace."""
    return (
        f"{HEAD}apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAME}\n  labels:\n"
        "    pod-security.kubernetes.io/enforce: restricted\n"
        "    pod-security.kubernetes.io/warn: restricted\n"
    )


def kustomization(*resources: str) -> str:
    """Return a kustomization of *resources*."""
    listed = "".join(f"  - {each}\n" for each in resources)
    kind = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return f"{HEAD}{kind}resources:\n{listed}"


def unannotated() -> str:
    """Return the patch that removes scrape annotations where monitors are used."""
    removals = "".join(
        f"      - {{op: remove, path: /spec/template/metadata/annotations/prometheus.io~1{each}}}\n"
        for each in ("scrape", "port")
    )
    return (
        "patches:\n  # The ServiceMonitor scrapes these pods, so annotations must not.\n"
        f"  - target: {{kind: Deployment, name: {NAME}}}\n    patch: |\n{removals}"
    )


def probe_key() -> Iterator[tuple[str, str]]:
    """Yield the files of the component that signs probes with an existing Secret."""
    secret = f"{NAME}-probe-key"
    for name in ("config", "workload"):
        # The overlay decides about scrape annotations.
        settings = (f"probeKey.existingSecret={secret}", "scrapeAnnotations.enabled=false")
        yield f"{name}.yaml", rendered(CHART, *settings, only=(name,))
    selector = f"{{apiVersion: v1, kind: Secret, namespace: {NAME}, name: {secret}}}"
    text = (
        f"{HEAD}# Wants a Secret {secret} with a file `key`, the same in all clusters.\n"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n"
        "  - path: config.yaml\n  - path: workload.yaml\n"
        f"  - target: {{kind: ClusterPropagationPolicy, name: {NAME}$}}\n"
        "    patch: |\n      - op: add\n        path: /spec/resourceSelectors/-\n"
        f"        value: {selector}\n"
    )
    yield "kustomization.yaml", text


def selected_by_stack() -> str:
    """Return the component whose label the Prometheus of kube-prometheus-stack selects by."""
    return (
        f"{HEAD}# The value is the name of the release of kube-prometheus-stack.\n"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n"
        f"  - target: {{kind: ServiceMonitor|PodMonitor|PrometheusRule, name: {NAME}.*}}\n"
        "    patch: |\n"
        "      - {op: add, path: /metadata/labels/release, value: kube-prometheus-stack}\n"
    )


def chart_file() -> str:
    """Return Chart.yaml with the version of the package."""
    text = (CHART / "Chart.yaml").read_text()
    version = exporter.__version__
    text = re.sub(r"(?m)^version: .*$", f"version: {version}", text)
    return re.sub(r"(?m)^appVersion: .*$", f'appVersion: "{version}"', text)


def values() -> Iterator[tuple[str, str, str]]:
    """Yield each value's path, default and meaning; a group has no default."""
    path: list[str] = []
    meaning = ""
    for line in (CHART / "values.yaml").read_text().splitlines():
        key = _KEY.match(line)
        if line.lstrip().startswith("#"):
            meaning = f"{meaning} {line.lstrip(' #')}".strip()
        elif key and meaning:
            path[len(key[1]) // 2 :] = [key[2]]
            yield ".".join(path), key[3] or "", meaning
            meaning = ""


def readme() -> str:
    """Return the chart's README with the table of values."""
    begin, end = "<!-- rendered: make deploy -->\n", "<!-- end of rendered -->\n"
    rows = (
        f"| `{name}` | {f'`{default}`' if default else ''} | {said} |\n"
        for name, default, said in values()
    )
    before, rest = (CHART / "README.md").read_text().split(begin)
    table = "| value | default | meaning |\n|---|---|---|\n" + "".join(rows)
    return before + begin + table + end + rest.split(end)[1]


def monitoring() -> tuple[str, ...]:
    """Return the settings of the objects of prometheus-operator that the chart has."""
    rules = "prometheusRule.enabled=true"
    return (
        "serviceMonitor.enabled=true",
        *([rules] if (CHART / "files" / "rules").exists() else []),
    )


def copied() -> Iterator[tuple[Path, str]]:
    """Yield the boards and rules that the chart carries."""
    generated = ROOT / "dashboards" / "generated"
    for folder, pattern, to in (
        ("chart/boards", "*.json", "boards"),
        ("chart", "*.tpl", "rules"),
        ("chart", "values.yaml", "rules"),
    ):
        for path in sorted((generated / folder).glob(pattern)):
            yield CHART / "files" / to / path.name, path.read_text()


def files() -> Iterator[tuple[Path, str]]:
    """Yield all files that are rendered from the current chart."""
    kustomize = DEPLOY / "kustomize"
    base, overlays = kustomize / "base", kustomize / "overlays"
    objects = f"{NAME}.yaml"
    yield base / "namespace.yaml", namespace()
    yield base / objects, rendered(CHART)
    yield base / "kustomization.yaml", kustomization("namespace.yaml", objects)
    node_logs = overlays / "node-logs"
    yield node_logs / "namespace.yaml", namespace()
    yield node_logs / objects, rendered(CHART, "nodeLogs.enabled=true")
    yield node_logs / "kustomization.yaml", kustomization("namespace.yaml", objects)
    karmada = overlays / "karmada"
    yield karmada / "policies.yaml", rendered(CHART, "karmada.enabled=true", only=("karmada",))
    yield karmada / "kustomization.yaml", kustomization("../../base", "policies.yaml")
    for name, text in probe_key():
        yield kustomize / "components" / "probe-key" / name, text
    stack = kustomize / "components" / "kube-prometheus-stack"
    yield stack / "kustomization.yaml", selected_by_stack()
    monitored = overlays / "karmada-monitoring"
    every = rendered(CHART, "karmada.enabled=true", *monitoring(), only=("karmada", "monitoring"))
    plain = rendered(CHART, "karmada.enabled=true", only=("karmada",)).removeprefix(HEAD)
    # Without what the plain overlay has, so that this file alone can be deleted to go back to it.
    yield monitored / "monitoring.yaml", every.replace(plain, "", 1)
    overlay = kustomization("../karmada", "monitoring.yaml") + unannotated()
    yield monitored / "kustomization.yaml", overlay


def main() -> int:
    """Write or check; return the exit code."""
    check = "--check" in sys.argv
    stale = []
    # The chart comes first, because everything else is rendered from it.
    for parts in (
        [(CHART / "Chart.yaml", chart_file()), *copied()],
        [(CHART / "README.md", readme())],
        files(),
    ):
        for path, text in parts:
            if path.exists() and path.read_text() == text:
                continue
            stale.append(path)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    for path in stale if check else ():
        print(f"{path.relative_to(ROOT)} is out of date: run make deploy")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
