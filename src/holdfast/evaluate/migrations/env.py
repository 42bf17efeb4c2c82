"""Run by Alembic for each migration; the connection, in a transaction that holds the lock, comes from database.py."""

from alembic import context

from holdfast.evaluate.database import VERSION

context.configure(connection=context.config.attributes["connection"], version_table=VERSION)
context.run_migrations()
