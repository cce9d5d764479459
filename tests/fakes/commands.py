"""The commands of a page of the documentation."""

import re


def commands(path):
    """Return the commands of the console blocks, lines that go on joined."""
    blocks = re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]
