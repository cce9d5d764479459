"""The entry of the program: `python -m exporter` and `clusterset-exporter`."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C while it is still being loaded ends the program, too."""
    try:
        from exporter.cli.main import main as command_line  # noqa: PLC0415 - loading takes long

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
