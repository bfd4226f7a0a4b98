"""Jobs: their life, the process that runs one, and the pool that keeps a process ready."""
