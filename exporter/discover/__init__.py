"""Finds the inventory: files in, immutable snapshots out; it never probes or judges."""
