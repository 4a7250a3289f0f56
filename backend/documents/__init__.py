"""Issued documents (文书): what is printed is put on record first. No step of a problem's life is taken here."""
