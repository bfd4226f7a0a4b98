"""Message brokers, each behind the same few calls; only these modules know the brokers' clients."""
