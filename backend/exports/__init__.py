"""Ledgers as CSV and XLSX streams. No sums are made here."""
