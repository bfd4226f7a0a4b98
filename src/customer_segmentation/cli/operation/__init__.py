"""Commands of operators: keys, audit, backup, restore, doctor, config."""
