"""The use cases that write: the load-decide-commit loop, groups of requests, reversals."""
