"""DNS messages: values to bytes and bytes to values; it never opens a socket."""
