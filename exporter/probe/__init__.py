"""Asks as a client would: targets in, one Probe value for each try out; it never retries, judges or counts."""
