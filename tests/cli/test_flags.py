"""Each flag of the command line stands in the docs, in the section of its command."""

import re
from pathlib import Path

import click
import pytest

from exporter.cli.main import cli

PAGE = (Path(__file__).parent.parent.parent / "docs" / "command-line.md").read_text()
SECTIONS = dict(re.findall(r"^## ([a-z -]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def flags(command=cli, path=()):
    """Yield each flag with the words of its command."""
    for option in command.params:
        if isinstance(option, click.Option):
            yield from ((" ".join(path), flag) for flag in option.opts)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from flags(command.get_command(context, name), (*path, name))


FLAGS = sorted(set(flags()))


@pytest.mark.parametrize(("command", "flag"), FLAGS)
def test_each_flag_stands_in_the_docs(command, flag):
    text = SECTIONS[command] if command else PAGE
    assert re.search(rf"{re.escape(flag)}`", text), (command, flag)


@pytest.mark.parametrize(("command", "text"), SECTIONS.items())
def test_the_docs_know_no_other_flag(command, text):
    known = {flag for each, flag in FLAGS if each == command}
    assert set(re.findall(r"^\| `(--[a-z.-]+)`", text, re.MULTILINE)) == known


def test_the_flags_of_all_commands_are_looked_for():
    wanted = {("run", "--shard"), ("demo", "--keep"), ("config check", "--config.file")}
    assert wanted <= set(FLAGS)


def test_the_exit_codes_of_each_command_stand_in_the_docs():
    table = PAGE.split("## Exit codes")[1].split("\n## ")[0]
    named = {
        each
        for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
        for each in row.split(", ")
    }
    assert named == {f"`{command}`" for command in SECTIONS}
    assert {command for command, _ in FLAGS} - {"", "config"} <= set(SECTIONS)
