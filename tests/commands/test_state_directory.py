"""What stands where the state directory should be."""

import pytest
from structlog.testing import capture_logs

from exporter.commands.run.state_directory import IN_A_POD, check_state_directory
from exporter.config.yaml_reader import SettingsError


@pytest.mark.parametrize("below", ["", "state"])
def test_what_is_not_a_directory_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / below
    with pytest.raises(SettingsError) as caught:
        check_state_directory(path, {})
    told = f"state_directory: {path}: is not a directory; name one, or a path that is free"
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("mode", "environ", "warned"),
    [
        pytest.param(0o700, {}, False, id="only ours"),
        pytest.param(0o777, {}, True, id="for everybody"),
        pytest.param(0o1777, {}, False, id="for everybody, but nobody replaces others' files"),
        pytest.param(0o777, {IN_A_POD: "10.0.0.1"}, False, id="an emptyDir"),
        pytest.param(0o2777, {IN_A_POD: "10.0.0.1"}, False, id="an emptyDir with fsGroup"),
    ],
)
def test_one_that_strangers_may_change_is_warned_of(tmp_path, mode, environ, warned):
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(mode)
    with capture_logs() as said:
        check_state_directory(path, environ)
    told = {
        "event": "state directory is writable for everybody",
        "log_level": "warning",
        "directory": str(path),
        "remedy": f"chmod o-w {path}; everybody may remove or replace the files in it",
    }
    assert said == [told] * warned


def test_one_that_is_missing_and_a_link_to_one_are_fine(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "state")
    with capture_logs() as said:
        for name in ("state", "link", "missing"):
            check_state_directory(tmp_path / name, {})
    assert said == []
