"""Files, pipes, sockets and pod logs in, blocks of whole lines out; they judge nothing."""
