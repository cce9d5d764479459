"""Says what is right: inventories, probes and hits in, verdicts out; no I/O and no clock."""
