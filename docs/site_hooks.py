"""What mkdocs is told beside mkdocs.yml: folders in the navigation, and links that lead out of docs/."""

import os
import re
from pathlib import Path

from mkdocs.exceptions import PluginError

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PROJECT = os.environ.get("PROJECT_URL", "")
"""Address of the repository on its forge, as for deploy/package-chart; without it files have no links."""


def with_folders(nav):
    """Return *nav* with the pages of each folder in place of the folder; its README.md is the first."""
    if isinstance(nav, list):
        return [with_folders(each) for each in nav]
    if isinstance(nav, dict):
        return {title: with_folders(inner) for title, inner in nav.items()}
    if nav.endswith("/"):
        pages = sorted((DOCS / nav).glob("*.md"), key=lambda page: (page.name != "README.md", page.name))
        return [page.relative_to(DOCS).as_posix() for page in pages]
    return nav


def on_config(config):
    """Fill the folders of the navigation."""
    config.nav = with_folders(config.nav)
    return config


def outside(label, link, page):
    """Return what stands in place of *link*, or None if it leads to a page of the site."""
    path, _, anchor = link.partition("#")
    target = Path(os.path.normpath(DOCS / Path(page.file.src_uri).parent / path))
    if target.is_relative_to(DOCS):
        return None
    if not target.exists():
        raise PluginError(f"{page.file.src_uri}: {link} leads nowhere")
    name = target.relative_to(ROOT).as_posix()
    if not PROJECT:
        return f"{label} (`{name}` in the repository)"
    kind = "tree" if target.is_dir() else "blob"
    return f"[{label}]({PROJECT}/{kind}/main/{name}{'#' if anchor else ''}{anchor})"


def on_page_markdown(markdown, page, **_):
    """Lead links to files outside docs/ to the forge, or name the files; show commands and bars as they are."""
    markdown = re.sub(
        r"\[([^\]]*)\]\((\.\./[^)\s]*)\)",
        lambda found: outside(found[1], found[2], page) or found[0],
        markdown,
    )
    # Commands have no prompt, so the colours of a session would take them for output.
    markdown = markdown.replace("```console\n", "```bash\n")
    # In a table GitHub wants a bar in code as \|, and this Markdown wants it as it is.
    return "".join(
        re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line
        for line in markdown.splitlines(keepends=True)
    )
