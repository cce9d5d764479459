"""Find sentences of more than 30 words, and Markdown lines of more than 120 characters.

Checked are Markdown pages and the docstrings and comments of Python files. A piece of code such as
`--web.listen-address` counts as one word. Tables and blocks of code may have long lines.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_WORDS, MOST_CHARACTERS = 30, 120
PYTHON = ("exporter", "dashboards", "deploy", "docs", "bench")
# Texts by others, and what is generated from them.
SKIPPED = ("tests/data/", "tests/render/node_modules/", ".venv", "dist/")
# Paths whose sentences are not checked yet. Remove each as its texts are rewritten.
NOT_YET: tuple[str, ...] = ()


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of *text*, a paragraph of prose."""
    text = re.sub(r"`+[^`]+`+", "`code`", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<https?:[^>]*>", "link", text)
    yield from re.split(r"(?<=[.!?])[\"')*_]*\s+(?=[\"'(*_`\[A-Z0-9])", text)


def too_long(text: str) -> Iterator[str]:
    """Yield the sentences of *text* that have too many words, with their number of words."""
    for sentence in sentences(text):
        count = len(re.findall(r"\S*\w\S*", sentence))
        if count > MOST_WORDS:
            yield f"{count} words: {' '.join(sentence.split())}"


def markdown_paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each paragraph, list item and table cell."""
    code, first, held = False, 0, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        stripped = line.strip()
        fence = stripped.startswith("```")
        code ^= fence
        begins = bool(re.match(r"[-*+] |\d+\. |#|\||<!--|>", stripped))
        if held and (begins or not stripped or fence):
            yield first, held
            held = ""
        if code or fence or stripped.startswith("<!--"):
            continue
        if stripped.startswith("|"):
            # A cell often lists values, divided by semicolons.
            yield from ((number, part) for part in re.split(r"(?<!\\)\||; ", stripped))
        elif stripped:
            first = first if held else number
            held += " " + re.sub(r"^([-*+]|\d+\.|#+|>) ", "", stripped)


def long_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and length of each line that is too long, outside tables and code."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        code ^= line.strip().startswith("```")
        if len(line) > MOST_CHARACTERS and not code and not line.lstrip().startswith(("|", "```")):
            yield number, f"{len(line)} characters"


def python_paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each paragraph of docstrings and comments."""
    for node in ast.walk(ast.parse(text)):
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            # A new entry of "Args:" begins a paragraph, and so does an item of a list.
            for part in re.split(r"\n\s*\n|\n(?=\s*(?:\*?[\w.]+:|[-*\d]+\.? )\s?)", value.value):
                yield node.lineno, part
    first, held, last = 0, "", -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield first, held
                first, held = token.start[0], ""
            held += " " + token.string.lstrip("#: ")
            last = token.start[0]
    yield first, held


def findings() -> Iterator[tuple[str, int, str]]:
    """Yield path, line number and text of each finding in the whole tree."""
    for path in sorted(ROOT.rglob("*.md")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(SKIPPED):
            text = path.read_text()
            yield from ((name, number, found) for number, found in long_lines(text))
            for number, part in markdown_paragraphs(text):
                yield from ((name, number, found) for found in too_long(part))
    for path in sorted(each for room in PYTHON for each in (ROOT / room).rglob("*.py")):
        for number, part in python_paragraphs(path.read_text()):
            name = path.relative_to(ROOT).as_posix()
            yield from ((name, number, found) for found in too_long(part))


def main() -> int:
    """Print all findings; return 1 if there is one in a file that is checked already."""
    found = list(findings())
    waiting = [each for each in found if each[0].startswith(NOT_YET)]
    shown = found if "--all" in sys.argv else [each for each in found if each not in waiting]
    for name, number, text in shown:
        print(f"{name}:{number}: {text}")
    if waiting:
        print(f"{len(waiting)} long sentences in {', '.join(NOT_YET)} are not checked yet")
    return int(len(found) > len(waiting))


if __name__ == "__main__":
    sys.exit(main())
