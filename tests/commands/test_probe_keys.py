"""The key file is read again when it changes; what cannot be used changes nothing."""

import asyncio

from structlog.testing import capture_logs

from exporter.commands.run.probe_keys import ProbeKeys
from tests.fakes import scenes


def put(path, version):
    """Let another file take the place of *path*, as a kubelet does; None takes it away."""
    if version is None:
        path.unlink()
    else:
        other = path.with_name("other")
        other.write_text(version)
        other.rename(path)


async def watched(path, *versions):
    """Let a key file have these *versions*; return the keys used, the problems and the log."""
    problems, used, shown = scenes.Scene().parts.problems, [], []
    await asyncio.to_thread(put, path, "first\n")

    async def ticks():
        yield
        for version in versions:
            await asyncio.to_thread(put, path, version)
            yield
            yield
            shown.append(next((each["message"] for each in problems.shown(())), ""))

    with capture_logs() as logs:
        keys = ProbeKeys(used.append, asyncio.Lock(), problems)
        await keys.watch(path, ticks())
    assert list(problems.shown(())) == []
    return used, shown, [each["event"] for each in logs]


async def test_each_version_is_used_once(tmp_path):
    used, shown, logs = await watched(tmp_path / "key", "first\nsecond\n", "second\nfirst\n")
    assert used == [(b"first",), (b"first", b"second"), (b"second", b"first")]
    assert (shown, logs) == (["", ""], [])


async def test_what_cannot_be_used_is_a_problem_until_it_can(tmp_path):
    path = tmp_path / "key"
    used, shown, logs = await watched(path, "\n", None, "s3cret\n" * 2 + "a\nb\nc\nd", "third")
    assert used == [(b"first",), (b"third",)]
    most = "at most 4 can be valid at once, so keep the one that signs first and delete the oldest"
    kept = "the keys that were read before are used"
    assert shown == [
        f"{path}: is empty; write the key that all exporters share; {kept}",
        f"{path}: there is no such file; {kept}",
        f"{path}: has 5 keys, one a line; {most}; {kept}",
        "",
    ]
    assert logs == ["probe keys rejected"] * 3
