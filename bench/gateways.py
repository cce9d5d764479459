"""
How fast the log of each gateway is counted, beside mtail with a program that does the same.

The lines are those of gateway_lines, whose truth is known: both count each request and each byte.
"""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from daemon import free_port
from gateway_lines import HOST, WRITE
from log_follow import INVENTORY
from log_lines import requests
from logs import ROUNDS
from measure import Bars, Run, machine

LINES = 1_000_000
PEER_LINES = 100_000
CLF = r"\[(?P<time>\d{2}\/\w{3}\/\d{4}:\d{2}:\d{2}:\d{2}) [+-]\d{4}\]"
CLF_TIME, ISO_TIME = "02/Jan/2006:15:04:05", "2006-01-02T15:04:05Z07:00"
NET, ANY = r"(?P<net>\d+\.\d+\.)", r'"(?:[^"\\]|\\.)*"'
AGENT = r'"(?P<agent>(?:[^"\\]|\\.)*)"'
ENVOY = (
    r'^\[(?P<time>[^\]]+)\] "[^"]*" (?P<status>\d+) \S+ {}\d+ (?P<size>\d+) (?P<took>\d+) \S+ '
    rf'"{{}}[^"]*" {AGENT} "[^"]*" "(?P<host>[^"]*)" "[^"]*"{{}}$'
)
STATUS_SIZE = r"(?P<status>\d+) (?P<size>\d+)"
MTAIL = {
    "combined": (rf'^{NET}\S+ - .* {CLF} "[^"]*" {STATUS_SIZE} "[^"]*" {AGENT}$', CLF_TIME),
    "ingress-nginx": (
        rf'^{NET}\S+ - .* {CLF} "[^"]*" {STATUS_SIZE} "[^"]*" {AGENT} \d+ (?P<took>[\d.]+) .*$',
        CLF_TIME,
    ),
    "apache": (
        rf"^{NET}\S+ \S+ .* {CLF} {ANY} (?P<status>\d+) (?P<size>\d+|-) {ANY} {AGENT}$",
        CLF_TIME,
    ),
    "envoy": (ENVOY.format("", NET, ""), ISO_TIME),
    "istio": (ENVOY.format(r'\S+ \S+ "[^"]*" ', "", rf" \S+ \S+ \S+ {NET}\S+ \S+ \S+"), ISO_TIME),
    "envoy-gateway": (
        "".join(
            (
                r'^\{":authority":"(?P<host>[^"]*)".*"bytes_sent":(?P<size>\d+),.*',
                rf'"downstream_remote_address":"{NET}[^"]*","duration":(?P<took>\d+),.*',
                r'"response_code":(?P<status>\d+),.*"start_time":"(?P<time>[^"]*)",.*',
                rf'"user-agent":{AGENT},',
            )
        ),
        ISO_TIME,
    ),
    "traefik": (
        rf'^{NET}\S+ - .* {CLF} "[^"]*" {STATUS_SIZE} {ANY} {AGENT} \d+ .* (?P<took>\d+)ms$',
        CLF_TIME,
    ),
    "traefik-json": (
        "".join(
            (
                rf'^\{{"ClientAddr":"{NET}[^"]*",.*"DownstreamContentSize":(?P<size>\d+),',
                r'"DownstreamStatus":(?P<status>\d+),"Duration":(?P<took>\d+),.*',
                r'"RequestHost":"(?P<host>[^"]*)",.*"StartUTC":"(?P<time>[^"]*)",.*',
                rf'"request_User-Agent":{AGENT}',
            )
        ),
        ISO_TIME,
    ),
    "haproxy": (
        "".join(
            (
                rf"^{NET}\S+:\d+ \[(?P<time>[^\]]+)\] \S+ \S+ \S+\/(?P<took>\d+) ",
                rf'{STATUS_SIZE} \S+ \S+ \S+ \S+ \S+ "[^"]*"$',
            )
        ),
        "02/Jan/2006:15:04:05.000",
    ),
    "caddy": (
        "".join(
            (
                rf'"ts":(?P<time>[\d.]+),.*"remote_ip":"{NET}[^"]*",.*"host":"(?P<host>[^"]*)",.*',
                rf'"User-Agent":\[{AGENT}\].*"duration":(?P<took>[\d.e-]+),"size":(?P<size>\d+),',
                r'"status":(?P<status>\d+),',
            )
        ),
        "",
    ),
}
"""An expression, and the layout of its time."""
BOUNDS = "0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0"


def program(name):
    """Return an mtail program that counts what the exporter counts of this format."""
    expression, layout = MTAIL[name]
    counted = ["requests[$net][$status]++"]
    if "|-)" in expression:
        counted += ['$size != "-" {', "bytes[$net] += int($size)", "}"]
    else:
        counted += ["bytes[$net] += $size"]
    made = ["counter requests by net, status", "counter bytes by net"]
    if "(?P<took>" in expression:
        made += [f"histogram seconds by net buckets {BOUNDS}"]
        counted += ["seconds[$net] = $took"]
    if "(?P<agent>" in expression:
        made += ["counter probes"]
        probe = r"$agent =~ /^clusterset-exporter\// {"
        counted = [probe, "probes++", "} else {", *counted, "}"]
    timed = [f'strptime($time, "{layout}")'] if layout else []
    return "\n".join([*made, f"/{expression}/ {{", *timed, *counted, "}", ""])


def counted_by_mtail(output):
    counted = json.JSONDecoder().raw_decode(output, output.index("{"))[0]
    metrics = counted["requests"] + counted.get("probes", [])
    return sum(each["Value"]["Value"] for metric in metrics for each in metric["LabelValues"])


def made_requests(number):
    """Yield requests as gateway_lines takes them."""
    chance = random.Random(2)
    for r in requests(number):
        yield {
            **{name: r[name] for name in ("address", "status", "size", "agent")},
            "path": r["request"].split()[1],
            "took": float(r["took"]),
            "at": 1_657_179_720 + round(chance.random() * 60, 3),
        }


def write(path, name, number):
    made = [WRITE[name](r) + "\n" for r in made_requests(10_000)]
    with path.open("w") as file:
        for _ in range(number // len(made)):
            file.writelines(made)


def rates(folder, name):
    """Return the lines a CPU second of the exporter and of mtail, which has to be installed."""
    log, short, prog = (folder / f"{name}.{end}" for end in ("log", "short.log", "mtail"))
    write(log, name, LINES)
    write(short, name, PEER_LINES)
    prog.write_text(program(name))
    host = any(HOST in line for line in log.open().readlines()[:1])
    ours = [sys.executable, "-m", "exporter", "analyze", "--inventory", folder / "inventory.yaml"]
    ours += ["--json", "--jobs", "1", "--cluster", "east", "--format", name, log]
    ours += [] if host else ["--service", "shop/cart"]
    mtail = ["mtail", "-one_shot", "-address", "127.0.0.1", "-port", str(free_port())]
    mtail += ["-progs", prog, "-logs", short]
    runs = {"exporter": [], "mtail": []}
    for _ in range(ROUNDS):
        runs["exporter"].append(Run(ours))
        runs["mtail"].append(Run(mtail))
    report = json.loads(runs["exporter"][0].output)
    (service,) = report["services"]
    assert sum(each["requests"] + each["probes"] for each in service["sources"]) == LINES, name
    assert counted_by_mtail(runs["mtail"][0].output) == PEER_LINES, name
    log.unlink()
    short.unlink()
    return (
        LINES / median(run.cpu for run in runs["exporter"]),
        PEER_LINES / median(run.cpu for run in runs["mtail"]),
    )


def main(names):
    bars = Bars()
    print(f"access logs of gateways: {machine()}")
    if shutil.which("mtail") is None:
        print("mtail is not installed: nothing is compared")
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "inventory.yaml").write_text(INVENTORY)
        for name in names or MTAIL:
            ours, theirs = rates(folder, name)
            bars.tell(f"{name}: lines a CPU second; mtail {theirs:,.0f}", f"{ours:,.0f}")
            bars.ratio(f"{name}: lines, beside mtail", ours, theirs)
    bars.end()


if __name__ == "__main__":
    main(sys.argv[1:])
