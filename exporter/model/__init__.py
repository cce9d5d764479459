"""The nouns that every room shares: plain values; nothing here reads, writes, waits or logs."""
