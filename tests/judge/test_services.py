import pytest

from exporter.judge.services import agrees
from exporter.model.probes import Answer, ServiceAddress
from tests.fakes.nouns import NGINX, inventory

NAME = "nginx.nginx-test.svc.clusterset.local"


@pytest.mark.parametrize(
    ("found", "well"),
    [
        ([(0, 50, 8080, NAME)], True),
        ([(0, 50, 8080, f"web-0.a.{NAME}"), (0, 50, 8080, f"web-1.a.{NAME}")], True),
        ([(0, 50, 81, NAME)], False),
        ([(0, 50, 8080, "other.svc.clusterset.local")], False),
        ([(0, 50, 8080, f"x{NAME}")], False),
        ([(0, 50, 8080, NAME), (0, 10, 8080, f"a.{NAME}")], False),
    ],
)
def test_what_srv_records_say_fits_the_service(found, well):
    answer = Answer(took=0.1, services=tuple(ServiceAddress(*each) for each in found))
    assert agrees(inventory().services[NGINX], NAME, answer) is well
