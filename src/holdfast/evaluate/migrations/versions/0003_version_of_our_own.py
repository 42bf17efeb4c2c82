"""The revision stands in a table of its own, for Optuna keeps its searches in the same database; see database.py."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The move itself is made before Alembic reads the revision."""
