"""The pages that are left behind, of runs and of what compares them: pure functions of what facts.py gathers."""
