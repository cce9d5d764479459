"""The commands of a page of the documentation."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = tuple(
    DOCS / name
    for name in (
        *("chart.md", "how-to/kube-prometheus-stack.md", "image.md", "probe-key.md"),
        *("web-configuration.md", "operations.md", "central-view.md", "rights.md"),
        "troubleshooting.md",
    )
)
"""Pages for who operates it, in the order in which a test types their commands."""


def commands(path):
    """Return the commands of the console blocks, lines that go on joined."""
    blocks = re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]
