"""Lets `python -m exporter` run the command line."""

from exporter.cli.main import main

if __name__ == "__main__":
    main()
