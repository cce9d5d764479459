"""The command line: flags in, calls of commands out; nothing else knows click or rich."""
