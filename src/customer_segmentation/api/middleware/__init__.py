"""What every request passes: authentication, limits, the access log, tracing, the fast path."""
