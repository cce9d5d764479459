"""Print the sizes in docs/architecture.md, for this tree or for the one given as argument."""

import ast
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> dict[str, Path]:
    """Return the path of each module of exporter/."""
    paths = (ROOT / "exporter").rglob("*.py")
    names = {path.relative_to(ROOT).with_suffix(""): path for path in paths}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in names.items()}


def imported(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """Return the modules of exporter/ that *tree* imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            longer = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= longer & known.keys() or {node.module}
    return found & known.keys()


def room(module: str) -> str:
    """Return the room of *module*; a loose module is a room of its own."""
    return module.split(".")[1] if "." in module else module


def longest(trees: dict[str, ast.Module], kinds: tuple[type[ast.stmt], ...]) -> int:
    """Return the lines of the longest class or function."""
    nodes = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, kinds))
    return max(node.end_lineno - node.lineno + 1 for node in nodes)


def lines(folder: str) -> int:
    """Return the number of lines of Python below *folder*."""
    return sum(len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py"))


def main() -> None:
    """Print the figures."""
    known = modules()
    trees = {name: ast.parse(path.read_text()) for name, path in known.items()}
    loose = {path.stem for path in (ROOT / "exporter").glob("*.py")} - {"__init__", "__main__"}
    arrows = {
        (room(name), room(other))
        for name, tree in trees.items()
        for other in imported(tree, known)
        if room(name) != room(other)
    }
    print(f"loose modules: {len(loose)}")
    print(f"modules: {len(known)}")
    print(f"import arrows between rooms: {len(arrows)}")
    print(f"longest module: {max(len(p.read_text().splitlines()) for p in known.values())}")
    print(f"longest class: {longest(trees, (ast.ClassDef,))}")
    print(f"longest function: {longest(trees, FUNCTIONS)}")
    print(f"lines of exporter/: {lines('exporter')}")
    print(f"lines of tests/: {lines('tests')}")


if __name__ == "__main__":
    main()
