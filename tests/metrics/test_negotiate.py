import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.negotiate import accepts_gzip, wants_openmetrics

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        pytest.param(PROMETHEUS, True, id="prometheus 3"),
        pytest.param("application/openmetrics-text; version=1.0.0", True, id="alone"),
        pytest.param("", False, id="none"),
        pytest.param("*/*", False, id="curl"),
        pytest.param("text/html,application/xhtml+xml,*/*;q=0.8", False, id="browser"),
        pytest.param("application/openmetrics-text;q=0", False, id="not wanted"),
        pytest.param("application/openmetrics-text;q=0.1,text/plain;q=0.9", False, id="less"),
        pytest.param("application/openmetrics-text;q=nonsense", False, id="broken q"),
        pytest.param(";;;,,,q=1;=\x00", False, id="hostile"),
    ],
)
def test_openmetrics(accept, wanted):
    assert wants_openmetrics(accept) is wanted


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("identity", False),
        ("*", True),
        ("", False),
    ],
)
def test_gzip(header, accepted):
    assert accepts_gzip(header) is accepted


@given(st.text())
def test_no_header_is_an_error(header):
    assert wants_openmetrics(header) in {True, False}
    assert accepts_gzip(header) in {True, False}
