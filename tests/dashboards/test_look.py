"""Every closed value has a colour and a number on the boards."""

from dashboards.look import LOCALITIES, MODES
from dashboards.queries import MODE_CODES
from exporter.model.verdicts import Locality, Mode


def test_every_mode_and_every_locality_has_a_colour_of_its_own():
    assert set(MODES) == set(MODE_CODES) == set(Mode)
    assert set(LOCALITIES) == set(Locality)
    assert len(set(LOCALITIES.values())) == len(Locality)
    assert len(set(MODES.values())) == len(Mode)
