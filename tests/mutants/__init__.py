"""`python -m tests.mutants` (make mutants): known bugs put in one by one, and who sees each. No rule of the protocol is tested here."""
