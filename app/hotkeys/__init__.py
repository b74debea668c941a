"""One key of the whole system that starts a snip: a handler for each way to get it."""
