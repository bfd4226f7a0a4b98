"""Writing tables and audiences, whole or not at all."""
