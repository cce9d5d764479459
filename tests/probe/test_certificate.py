"""The end of a certificate, against certificates made by others."""

import ssl
from datetime import UTC, datetime

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from exporter.probe.certificate import certificate_end

CA = trustme.CA()


def der(end):
    start = datetime(1999, 1, 1, tzinfo=UTC)
    made = CA.issue_cert("x.example", not_before=start, not_after=end)
    return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


@pytest.mark.parametrize("year", [2000, 2049, 2050, 2999])
def test_the_end_is_read(year):
    end = datetime(year, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert certificate_end(der(end)) == end.timestamp()


WELL = der(datetime(2030, 1, 1, tzinfo=UTC))


@given(st.data())
def test_a_damaged_one_is_read_or_none(data):
    damaged = bytearray(WELL)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, 250))] = data.draw(st.integers(0, 255))
    end = certificate_end(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    assert end is None or isinstance(end, float)


@given(st.binary(max_size=100))
def test_garbage_is_none(garbage):
    assert certificate_end(garbage) is None
