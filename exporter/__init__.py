"""Measures who is served where in a clusterset, and whether that is right."""

__version__ = "0.2.0"
