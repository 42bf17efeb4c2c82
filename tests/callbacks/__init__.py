"""Tests of holdfast.callbacks."""
