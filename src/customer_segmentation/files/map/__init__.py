"""What the columns of a foreign table mean: guessed, kept as TOML, applied."""
