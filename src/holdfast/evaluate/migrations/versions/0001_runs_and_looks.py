"""Runs and looks: the first schema, which ledgers without a revision have already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("dataset", sa.String, nullable=False),
        sa.Column("dataset_fingerprint", sa.String, nullable=False),
        sa.Column("split_fingerprint", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("ended", sa.String(32)),
        if_not_exists=True,
    )
    op.create_table(
        "looks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.Integer, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("part", sa.String, nullable=False),
        sa.Column("part_fingerprint", sa.String, nullable=False),
        sa.Column("metric", sa.String),
        sa.Column("value", sa.Float),
        sa.Column("epoch", sa.Integer),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        if_not_exists=True,
    )
    op.create_index("looks_by_part", "looks", ["part_fingerprint", "run"], if_not_exists=True)
