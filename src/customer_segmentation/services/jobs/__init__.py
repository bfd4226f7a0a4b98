"""Jobs: their life, and the pool that keeps a process ready for the next."""
