"""Alembic migrations: how the tables of any release become those of this one."""
