"""Probe coroutines in, their results out: how a probe waits, on any system; knows no target."""
