"""Events and verdicts in, series and their text out; no network access and no judgement."""
