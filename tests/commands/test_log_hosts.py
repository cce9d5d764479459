"""Logs without the host of a request: a hazard, and a problem once leaks are seen (14.17)."""

import pytest

from exporter.accesslog.source import LogSource
from exporter.commands.log_hosts import hostless_sources
from exporter.judge.hazards import needs_host
from exporter.model.clusterset import Profile, ServiceName
from exporter.model.verdicts import Hazard, Policy
from tests.fakes import scenes
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.turns import whole

LOG = LogSource(files=("access.log",), syslog=None, form="combined", wrapper="none", service=NGINX)
PODS = LogSource(files=(), syslog=None, form="main", wrapper="none", service=None, pods=9)
HOSTED = '$remote_addr $status "$host"'


def page(scene):
    """Return the problems and the hazards that the page shows."""
    status = whole(scene.page_data.status())
    problems = {each["what"]: each["message"] for each in status["problems"]}
    return problems, {hazard for each in status["services"] for hazard in each["hazards"]}


def with_clients(**words):
    scene = scenes.Scene()
    scene.inventory(**words)
    scene.wait(100)
    return scene


def leak(scene, **requests):
    scene.hits(**requests)
    scene.settle()


def test_a_log_without_host_is_a_hazard_and_a_problem_once_leaks_are_seen():
    scene = with_clients()
    with scene.logs.counting(LOG, has_host=False):
        assert page(scene) == ({}, {Hazard.NO_HOST_IN_LOG})
        leak(scene, b=1)
        problems, hazards = page(scene)
        assert hazards == {Hazard.NO_HOST_IN_LOG}
        assert problems == {
            "log format of access.log": "the format has no $host, so a request for a pinned name "
            "such as a.nginx.nginx-test.svc.clusterset.local counts as a leak of "
            "nginx-test/nginx; add $host to log_format in nginx and to the format here, for "
            'example: $remote_addr - $remote_user [$time_local] "$request" $status '
            '$body_bytes_sent "$http_referer" "$http_user_agent" "$host"'
        }
    assert page(scene) == ({}, set())


def test_the_problem_ends_with_the_leaks():
    scene = with_clients()
    with scene.logs.counting(LOG, has_host=False):
        leak(scene, b=1)
        scene.inventory(ready="a", exported="ab")
        scene.wait(1)
        leak(scene, b=1)
        assert page(scene) == ({}, {Hazard.NO_HOST_IN_LOG})


def test_the_problem_ends_with_the_other_export():
    scene = with_clients()
    with scene.logs.counting(LOG, has_host=False):
        leak(scene, b=1)
        scene.inventory(ready="a", exported="a")
        assert page(scene) == ({}, {Hazard.SINGLE_CLUSTER})


def test_a_log_with_host_is_neither_hazard_nor_problem():
    scene = with_clients()
    with scene.logs.counting(LOG, has_host=True):
        leak(scene, b=1)
        assert page(scene) == ({}, set())


def test_of_several_readers_of_a_log_the_last_one_ends_the_hazard():
    scene = with_clients()
    with scene.logs.counting(LOG, has_host=False):
        with scene.logs.counting(LOG, has_host=False):
            pass
        assert page(scene)[1] == {Hazard.NO_HOST_IN_LOG}


@pytest.mark.parametrize(
    ("where", "policy", "needed"),
    [
        pytest.param(inventory(), Policy.LOCAL, True, id="two clusters"),
        pytest.param(inventory(ready="a"), Policy.LOCAL, True, id="one of two is ready"),
        pytest.param(inventory(ready="a", exported="a"), Policy.LOCAL, False, id="one cluster"),
        pytest.param(inventory(ready="bc", exported="bc"), Policy.LOCAL, False, id="not here"),
        pytest.param(inventory(), Policy.SPREAD, False, id="spread"),
        pytest.param(inventory(headless=True), Policy.LOCAL, False, id="headless"),
        pytest.param(inventory(profile=Profile.GKE), Policy.LOCAL, False, id="no pinned names"),
    ],
)
def test_the_host_is_needed_where_a_crossing_may_be_pinned_or_a_leak(where, policy, needed):
    assert needs_host(where, where.services[NGINX], policy) is needed


@pytest.mark.parametrize(
    ("annotation", "forms"),
    [
        pytest.param("", ["combined", "main"], id="none"),
        pytest.param(HOSTED, ["combined"], id="with host"),
        pytest.param("combined", ["combined", "combined"], id="without host"),
        pytest.param("$nothing", ["combined"], id="broken, which is told elsewhere"),
    ],
)
def test_logs_of_pods_have_the_format_that_the_service_names(annotation, forms):
    where = inventory()
    service = type(where.services[NGINX])(name=NGINX, log_format=annotation)
    other = ServiceName("shop", "cart")
    elsewhere = LogSource(files=("x",), syslog=None, form="main", wrapper="none", service=other)
    found = hostless_sources([LOG, PODS, elsewhere], service)
    assert [each.form for each in found] == forms
