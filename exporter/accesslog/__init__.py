"""Reads what was served: log files in, counts by source out; it never judges and never keeps a line."""
