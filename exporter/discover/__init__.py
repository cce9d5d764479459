"""Where the inventory comes from: files or API objects in, immutable snapshots out; it never probes or judges."""
