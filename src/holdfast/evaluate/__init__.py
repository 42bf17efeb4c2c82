"""Evaluation: scores with intervals, the verdict on them, the ledger of looks, and the key to the test part."""

from .interval import newcombe, normal, wilson
from .ledger import Ledger, RunRow
from .score import ClassScore, Report, Score, score
from .unseal import unseal
from .verdict import Verdict, verdict

__all__ = [
    "ClassScore",
    "Ledger",
    "Report",
    "RunRow",
    "Score",
    "Verdict",
    "newcombe",
    "normal",
    "score",
    "unseal",
    "verdict",
    "wilson",
]
