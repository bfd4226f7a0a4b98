"""Streams: transactions and customers from a message broker, changes of segment to one."""
