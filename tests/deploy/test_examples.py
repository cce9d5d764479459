"""Examples, and commands of the documentation, held to what can be known without a cluster."""

import re
import shlex
import shutil
import subprocess
from itertools import pairwise

import click
import pytest
import yaml

from exporter import __version__
from exporter.cli.main import cli
from exporter.metrics.families import FAMILIES
from tests.fakes.charts import ROOT, objects, one
from tests.fakes.commands import OPERATIONS, commands
from tests.fakes.tools import need

EXAMPLES = ROOT / "deploy" / "examples"
HELM_README = ROOT / "deploy" / "helm" / "clusterset-exporter" / "README.md"
DOCS = (
    ROOT / "docs" / "tutorial.md",
    *OPERATIONS,
    ROOT / "docs" / "getting-started.md",
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    ROOT / "docs" / "openshift.md",
    ROOT / "docs" / "configuration.md",
    ROOT / "docs" / "check.md",
    ROOT / "docs" / "analyze.md",
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    HELM_README,
)
FIRST = {
    *("oc", "kubectl", "make", "docker", "curl", "helm", "promtool", "clusterset-exporter"),
    *("export", "python3", ".", "pip", "logger", "tail", "zcat"),
}
MEMBERS = {"k8s-node4", "k8s-node5"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
WITH_VALUE = {"--context", "--namespace", "-n", "-k", "-f", "-o", "-l", "--output", "--selector"}
VERBS = {
    *("apply", "create", "delete", "get", "label", "logs", "port-forward", "rollout", "diff"),
    *("annotate", "auth", "describe", "exec", "kustomize", "patch"),
}


ALL = [(path.name, each) for path in DOCS for each in commands(path)]


@pytest.mark.parametrize(("page", "command"), ALL, ids=[each for _, each in ALL])
def test_commands_are_well_formed(page, command):
    first, *_ = words = shlex.split(command.split(" | ")[0])
    assert first in FIRST, page
    if first == "make":
        assert words[1] in TARGETS
    if first == "curl":
        assert re.match(r"http://localhost:987[78]/", words[-1])
    if first == "kubectl" and "--" in words:
        # What is run in a pod is a command too.
        words, inside = words[: words.index("--")], words[words.index("--") + 1 :]
        check_own(inside)
    if first == "kubectl":
        check_kubectl(words)
    if first == "clusterset-exporter":
        check_own(words)


def check_own(words):
    """Have the command line itself parse *words*; it says what it does not know."""
    command, given = cli, words[1:]
    while isinstance(command, click.Group) and given and not given[0].startswith("-"):
        found = command.get_command(click.Context(command), given[0])
        if found is None:
            raise KeyError(given[0])
        command, given = found, given[1:]
    # With what the group says of all commands, or it would be remembered otherwise.
    context = click.Context(command, parent=click.Context(cli, **cli.context_settings))
    command.make_parser(context).parse_args(given)


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "runbooks").glob("*.md")), ids=str)
def test_own_commands_of_runbooks_exist(path):
    for command in commands(path):
        if command.startswith("clusterset-exporter "):
            check_own(shlex.split(command))


def test_a_command_that_does_not_exist_is_noticed():
    for wrong in ("check --configfile x a/b", "config chek", "run --json"):
        with pytest.raises((click.UsageError, KeyError)):
            check_own(["clusterset-exporter", *wrong.split()])


def check_kubectl(words):
    plain = [
        word
        for before, word in pairwise(words)
        if not word.startswith("-") and before not in WITH_VALUE
    ]
    assert plain[0] in VERBS
    for flag, value in pairwise(words):
        if flag in {"-k", "-f"}:
            assert (ROOT / value).exists(), value
        if flag == "--context":
            assert value in {*MEMBERS, "karmada-apiserver"}


@pytest.mark.parametrize(("page", "command"), ALL, ids=[each for _, each in ALL])
def test_series_that_are_asked_for_exist(page, command):
    for group in re.findall(r"clusterset_\(?([a-z_|]+)\)?", command):
        for name in group.split("|"):
            known = {family.name for family in FAMILIES}
            assert f"clusterset_{name}" in known, (page, name)


def test_what_the_tutorial_sends_has_as_many_objects_as_it_says():
    text = DOCS[0].read_text()
    said = int(re.search(r"Expect (\d+) lines that end in `created`", text)[1])
    done = subprocess.run(
        [need("kubectl"), "kustomize", ROOT / "deploy/kustomize/overlays/karmada"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(list(yaml.safe_load_all(done.stdout))) == said
    assert f"newTag: {__version__}" in text


def test_the_own_kustomization_of_the_tutorial_names_the_image(tmp_path):
    (text,) = re.findall(r"```yaml\n(# mine/.*?)```", DOCS[0].read_text(), re.DOTALL)
    shutil.copytree(ROOT / "deploy" / "kustomize", tmp_path / "deploy" / "kustomize")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(text)
    done = subprocess.run(
        [need("kubectl"), "kustomize", tmp_path / "mine"],
        capture_output=True,
        text=True,
        check=True,
    )
    pushed = re.search(r"docker push (\S+)", DOCS[0].read_text())[1]
    assert re.findall(r"^ +image: (.*)$", done.stdout, re.MULTILINE) == [pushed]


def test_a_narrow_network_leaves_room_for_all_that_is_asked():
    page = (ROOT / "docs" / "rights.md").read_text()
    (text,) = re.findall(r"```yaml\n(networkPolicy:.*?)```", page, re.DOTALL)
    values = yaml.safe_load(text)
    spec = one(objects(values), "NetworkPolicy")["spec"]
    names, server, services = spec["egress"]
    assert {(each["port"], each["protocol"]) for each in names["ports"]} == {
        (53, "UDP"),
        (53, "TCP"),
    }
    assert server["ports"] == [{"port": 6443, "protocol": "TCP"}]
    assert "ports" not in services
    assert spec["ingress"][0]["from"] == values["networkPolicy"]["from"]


def test_links_lead_somewhere():
    for path in (*DOCS, ROOT / "SECURITY.md"):
        for link in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", path.read_text()):
            target, anchor = link
            if target.startswith("http"):
                continue
            other = path.parent / target if target else path
            assert other.exists(), (path, target)
            if anchor:
                heads = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
                found = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in heads}
                assert anchor[1:] in found, (path, anchor)


def everything(folder):
    for path in sorted((EXAMPLES / folder).glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def test_the_scene_is_spread_object_by_object():
    found = list(everything("nginx"))
    policies = [each for each in found if each["kind"] == "PropagationPolicy"]
    sent = {
        (wanted["apiVersion"], wanted["kind"], wanted["name"])
        for policy in policies
        for wanted in policy["spec"]["resourceSelectors"]
    }
    things = {
        (each["apiVersion"], each["kind"], each["metadata"]["name"])
        for each in found
        if each["kind"] not in {"PropagationPolicy", "OverridePolicy", "Namespace"}
    }
    assert sent == things
    for policy in policies:
        placement = policy["spec"]["placement"]
        assert placement["replicaScheduling"] == {"replicaSchedulingType": "Duplicated"}
        assert set(placement["clusterAffinity"]["clusterNames"]) == MEMBERS


def test_export_service_and_pods_belong_together():
    found = {each["kind"]: each for each in everything("nginx")}
    service, deployment = found["Service"], found["Deployment"]
    assert found["ServiceExport"]["metadata"]["name"] == service["metadata"]["name"] == "nginx"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert service["spec"]["ports"] == [{"name": "http", "port": 8080, "targetPort": "http"}]
    (wanted,) = found["OverridePolicy"]["spec"]["resourceSelectors"]
    assert wanted["namespace"] == found["OverridePolicy"]["metadata"]["namespace"]


def test_prometheus_takes_the_examples(tmp_path):
    promtool = need("promtool")
    rules = EXAMPLES / "central" / "member-reports-test.yaml"
    subprocess.run([promtool, "test", "rules", rules], check=True, cwd=rules.parent)
    for name in ("prometheus-member.yaml", "prometheus-hub.yaml"):
        config = yaml.safe_load((EXAMPLES / "central" / name).read_text())
        for job in config["scrape_configs"]:
            # Debian's promtool is built without this kind of discovery.
            job.pop("kubernetes_sd_configs", None)
        path = tmp_path / name
        path.write_text(yaml.safe_dump(config))
        command = [promtool, "check", "config", "--syntax-only", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
