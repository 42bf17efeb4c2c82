"""Evaluation: scores with intervals, the verdict on them, the ledger of looks, and the key to the test part."""

from .agreement import Agreement, Annotator, Ceiling, Cohen, agreement
from .answers import Answers, holds_answers, read_answers, read_gold
from .calibration import Bin, Calibration, calibration, fit_temperature
from .compare import Comparison, SeedAgreement, agreement_of_seeds, compare
from .interval import corrected_resampled, newcombe, normal, paired, wilson
from .label_errors import LabelErrors, label_errors
from .ladder import Revealed
from .ledger import Ledger, Note, RunRow
from .score import ClassScore, Report, Score, score
from .selection import Chosen, bbc, optimism, without_optimism
from .unseal import unseal
from .verdict import Verdict, verdict

__all__ = [
    "Agreement",
    "Annotator",
    "Answers",
    "Bin",
    "Calibration",
    "Ceiling",
    "Chosen",
    "ClassScore",
    "Cohen",
    "Comparison",
    "LabelErrors",
    "Ledger",
    "Note",
    "Report",
    "Revealed",
    "RunRow",
    "Score",
    "SeedAgreement",
    "Verdict",
    "agreement",
    "agreement_of_seeds",
    "bbc",
    "calibration",
    "compare",
    "corrected_resampled",
    "fit_temperature",
    "holds_answers",
    "label_errors",
    "newcombe",
    "normal",
    "optimism",
    "paired",
    "read_answers",
    "read_gold",
    "score",
    "unseal",
    "verdict",
    "wilson",
    "without_optimism",
]
