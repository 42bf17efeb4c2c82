"""Peers of holdfast: each trains the same models on the same data in a process of its own, when it is asked to."""
