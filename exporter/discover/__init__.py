"""Finds the inventory: files or API objects in, snapshots out; it never probes or judges."""
