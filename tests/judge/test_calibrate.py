from exporter.judge.calibrate import ENOUGH, WINDOW, Calibration


def seen(*pairs):
    calibration = Calibration()
    for claimed, attributed in pairs:
        calibration.saw(claimed, attributed)
    return calibration


def test_too_few_probes_prove_nothing():
    calibration = seen(*[("b", "c")] * (ENOUGH - 1))
    assert (calibration.agreement("b"), calibration.trusts("b")) == (None, True)
    assert calibration.trusts("nobody")


def test_a_disagreement_speaks_against_both():
    calibration = seen(*[("b", "c")] * 2, *[("b", "b")] * 8, *[("c", "c")] * 3)
    assert (calibration.agreement("b"), calibration.agreement("c")) == (0.8, 0.6)
    assert not calibration.trusts("b")


def test_the_threshold_itself_is_trusted():
    calibration = seen(("b", "external"), *[("b", "b")] * 9)
    assert (calibration.agreement("b"), calibration.trusts("b")) == (0.9, True)


def test_what_was_mended_is_trusted_again():
    calibration = seen(*[("b", "a")] * 100, *[("b", "b")] * WINDOW)
    assert calibration.trusts("b")
