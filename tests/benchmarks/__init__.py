"""`python -m tests.benchmarks`: medians, each beside a limit measured in the same run. Measures; asserts nothing."""
