"""The tables of the ledger, as its queries see them.  Imported when a ledger is, for SQLAlchemy takes its time.

The database gets them from migrations/, revision by revision: a change here needs a new one there (a test compares).
"""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

REVISION = "0003"  # the newest of migrations/versions

METADATA = MetaData()

DATASETS = Table(
    "datasets",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("name", String, nullable=False),  # photos
    Column("n", Integer),  # samples in all; null where only an older holdfast has seen the data
    Column("classes", Integer),  # how many; null likewise
)

SPLITS = Table(
    "splits",
    METADATA,
    Column("fingerprint", String, primary_key=True),
    Column("dataset", ForeignKey("datasets.fingerprint"), nullable=False),
    Column("seed", Integer),  # null for arrays from memory, whose seed is not known
    Column("train_n", Integer),  # samples; this and the next are null where only an older holdfast has seen it
    Column("train_fingerprint", String),
    Column("validation_n", Integer),
    Column("validation_fingerprint", String),
    Column("test_n", Integer),
    Column("test_fingerprint", String),
)

RUNS = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),  # of its folder, photos-001
    Column("dataset", String, nullable=False),  # the name of the data, photos
    Column("dataset_fingerprint", String, nullable=False),
    Column("split_fingerprint", String, nullable=False),
    Column("status", String, nullable=False),  # running, or how it ended
    Column("started", String(32), nullable=False),  # UTC, ISO 8601 with microseconds
    Column("ended", String(32)),  # UTC; null while running
    Column("heartbeat", String(32)),  # UTC; when it last said that it was at work
)

LOOKS = Table(
    "looks",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("number", Integer, nullable=False),  # of the look, in its run and part; a look has a row a metric
    Column("part", String, nullable=False),  # train, validation, out-of-fold or test
    Column("part_fingerprint", String, nullable=False),  # of the samples looked at
    Column("metric", String),  # accuracy, loss, ...; null for an unsealing, which is written before any score
    Column("value", Float),  # null for an unsealing, and for NaN
    Column("epoch", Integer),  # completed epochs; null outside training
    Column("purpose", String, nullable=False),  # early stopping, selection, report or unseal
    Column("at", String(32), nullable=False),  # UTC, ISO 8601 with microseconds
    Index("looks_by_part", "part_fingerprint", "run"),
    Index("looks_by_run", "run"),
)

NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("text", String, nullable=False),
    Column("at", String(32), nullable=False),  # UTC, ISO 8601 with microseconds
    Index("notes_by_run", "run"),
)

LADDER = Table(
    "ladder",
    METADATA,
    Column("part_fingerprint", String, primary_key=True),  # of the test part
    Column("opening", Integer, primary_key=True),  # of the part, from 1
    Column("run", ForeignKey("runs.id"), nullable=False),
    Column("n", Integer, nullable=False),  # samples
    Column("revealed", Boolean, nullable=False),  # whether the score of this opening was told
    Column("bits", LargeBinary),  # which answers were right, a bit a sample; null unless it was told
    Column("at", String(32), nullable=False),  # UTC, ISO 8601 with microseconds
)
