"""Shows it: counts and verdicts in, /metrics, JSON and a page out; it never asks a network."""
