"""Evaluation: scores with intervals, the verdict on them, the ledger of looks, and the key to the test part."""

from .calibration import Bin, Calibration, calibration, fit_temperature
from .compare import Comparison, SeedAgreement, agreement_of_seeds, compare
from .interval import corrected_resampled, newcombe, normal, paired, wilson
from .ladder import Revealed
from .ledger import Ledger, Note, RunRow
from .score import ClassScore, Report, Score, score
from .selection import Chosen, bbc, optimism, without_optimism
from .unseal import unseal
from .verdict import Verdict, verdict

__all__ = [
    "Bin",
    "Calibration",
    "Chosen",
    "ClassScore",
    "Comparison",
    "Ledger",
    "Note",
    "Report",
    "Revealed",
    "RunRow",
    "Score",
    "SeedAgreement",
    "Verdict",
    "agreement_of_seeds",
    "bbc",
    "calibration",
    "compare",
    "corrected_resampled",
    "fit_temperature",
    "newcombe",
    "normal",
    "optimism",
    "paired",
    "score",
    "unseal",
    "verdict",
    "wilson",
    "without_optimism",
]
