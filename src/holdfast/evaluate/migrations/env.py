"""Run by Alembic for each migration; the connection, in a transaction that holds the lock, comes from database.py."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
