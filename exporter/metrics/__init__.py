"""Events and verdicts in, series and their text out; it asks no network and judges nothing."""
