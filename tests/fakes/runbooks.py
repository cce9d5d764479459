"""The runbooks' pages and their commands, with something to put in place of the placeholders."""

import re
import shlex
from pathlib import Path

from tests.fakes.commands import commands

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
LABELS = {
    "source_cluster": "SOURCE",
    "destination_cluster": "DESTINATION",
    "destination_service_namespace": "NS",
    "destination_service_name": "NAME",
    "pod": "POD",
    "resource": "RESOURCE",
    "claimed_cluster": "CLAIMED",
}
FILLED = {
    "SOURCE": "east",
    "DESTINATION": "west",
    "CLUSTER": "west",
    "KARMADA": "karmada",
    "NS": "shop",
    "NAME": "cart",
    "POD": "exporter-0",
    "RESOURCE": "endpointslices",
    "CLAIMED": "east",
    "PROMETHEUS": "127.0.0.1:9090",
}
CAPITALS = re.compile(r"\b[A-Z]{2,}\b")


def filled(command):
    """Return *command* with a value for each placeholder that is known."""
    return CAPITALS.sub(lambda found: FILLED.get(found[0], found[0]), command)


def programs(command):
    """Return the words of each program of a pipeline."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|;&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    made = [[]]
    for word in lexer:
        if set(word) <= set("|;&"):
            made.append([])
        else:
            made[-1].append(word)
    return made


def of_program(name):
    """Yield the page and the words of each call of a program, with the placeholders filled in."""
    for path in PAGES:
        for command in commands(path):
            for words in programs(filled(command)):
                if words[0] == name:
                    yield path.stem, words[1:]
