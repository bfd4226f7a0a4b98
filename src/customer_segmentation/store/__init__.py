"""The database: tables, queries and migrations, over SQLAlchemy Core.

The same code serves SQLite (the default) and PostgreSQL.
"""
