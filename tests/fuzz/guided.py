"""One target under atheris: libFuzzer changes inputs, led by the branches that they reach."""

import sys

import atheris

with atheris.instrument_imports(include=["exporter"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz the target that the first argument names, with libFuzzer's own arguments after it."""
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
