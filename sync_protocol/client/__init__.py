"""The reference client: the only part of the package that does input and output. No rule of the
protocol lives here."""
