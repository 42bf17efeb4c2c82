"""Tests of scores and of the ledger."""
