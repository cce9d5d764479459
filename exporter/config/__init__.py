"""Text in; frozen values out, or an error that says what is wrong, where, what helps. No I/O."""
