"""The one way to the samples of a test part: the ledger is written before the seal is opened."""

from ..core import BadValue
from ..data import Part, Sealed
from ..data.sealed import open_seal
from .ledger import Ledger


def unseal(sealed: Sealed, *, ledger: Ledger, run: int) -> Part:
    """The samples of the test part; that they were opened is on the disk before they are read.

    Args:
        sealed: the test part of a dataset.
        ledger: where the opening is written; `ledger.openings(sealed.fingerprint)` counts this one from then on.
        run: id of the run that opens it.

    Raises:
        BadValue: the part is empty, or the ledger has no such run; nothing is opened then.
        BadFile: the ledger cannot be written; nothing is opened then.
    """
    if not len(sealed):
        raise BadValue("the test part is empty, there is nothing to unseal; split with test=0.15 or so.")
    ledger.look(run, "test", sealed.fingerprint, {}, purpose="unseal")
    return open_seal(sealed)
