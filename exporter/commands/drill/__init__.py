"""`drill`: inventories and probes of one service in, a report out; it changes nothing itself."""
