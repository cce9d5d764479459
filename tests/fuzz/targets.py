"""All fuzz targets, by name."""

from tests.fuzz import apiserver, files, logs, net
from tests.fuzz.harness import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (*logs.TARGETS, *net.TARGETS, *apiserver.TARGETS, *files.TARGETS)
}
