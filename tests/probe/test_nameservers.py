"""resolv.conf as it is, and as it changes."""

import asyncio

from exporter.probe.nameservers import system_resolvers, watch
from exporter.probe.resolve import Server


def test_resolv_conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# comment\nsearch a.b c.d\nnameserver 10.96.0.10\nnameserver junk\n"
        "options ndots:5\nnameserver 2001:db8::1\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
    )
    assert list(map(str, system_resolvers(path))) == [
        "10.96.0.10:53",
        "[2001:db8::1]:53",
        "10.0.0.1:53",
    ]


def test_without_a_resolv_conf_it_is_the_local_one(tmp_path):
    assert system_resolvers(tmp_path / "none") == (Server("127.0.0.1", 53),)


def test_a_line_with_a_nul_names_no_server(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"nameserver 10.96.0.\x0010\nnameserver 10.0.0.1\n")
    assert list(map(str, system_resolvers(path))) == ["10.0.0.1:53"]


async def test_it_is_read_again_when_it_changes_and_only_then(tmp_path):
    path, told = tmp_path / "resolv.conf", []
    path.write_text("nameserver 10.0.0.1\n")
    texts = [None, "nameserver 10.0.0.22\nsearch x.y\n", None, "", None, "gone"]

    async def ticks():
        for text in texts:
            if text == "gone":
                await asyncio.to_thread(path.unlink)
            elif text is not None:
                await asyncio.to_thread(path.write_text, text)
            yield

    await watch(ticks(), told.append, path)
    assert told == [
        (Server("10.0.0.22", 53),),
        (Server("127.0.0.1", 53),),
        (Server("127.0.0.1", 53),),
    ]
