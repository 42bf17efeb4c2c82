"""Data sets, splits, notes, the Ladder and the heartbeat of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "datasets",
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("n", sa.Integer),
        sa.Column("classes", sa.Integer),
    )
    op.create_table(
        "splits",
        sa.Column("fingerprint", sa.String, primary_key=True),
        sa.Column("dataset", sa.String, sa.ForeignKey("datasets.fingerprint"), nullable=False),
        sa.Column("seed", sa.Integer),
        sa.Column("train_n", sa.Integer),
        sa.Column("train_fingerprint", sa.String),
        sa.Column("validation_n", sa.Integer),
        sa.Column("validation_fingerprint", sa.String),
        sa.Column("test_n", sa.Integer),
        sa.Column("test_fingerprint", sa.String),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_table(
        "ladder",
        sa.Column("part_fingerprint", sa.String, primary_key=True),
        sa.Column("opening", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("revealed", sa.Boolean, nullable=False),
        sa.Column("bits", sa.LargeBinary),
        sa.Column("at", sa.String(32), nullable=False),
    )
    op.create_index("looks_by_run", "looks", ["run"])
    op.create_index("notes_by_run", "notes", ["run"])
    op.add_column("runs", sa.Column("heartbeat", sa.String(32)))
    op.execute(
        "INSERT INTO datasets (fingerprint, name) "
        "SELECT dataset_fingerprint, min(dataset) FROM runs GROUP BY dataset_fingerprint"
    )
    op.execute(
        "INSERT INTO splits (fingerprint, dataset) "
        "SELECT split_fingerprint, min(dataset_fingerprint) FROM runs GROUP BY split_fingerprint"
    )
