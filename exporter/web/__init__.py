"""Status and series in, HTTP responses out; it never asks a network."""
