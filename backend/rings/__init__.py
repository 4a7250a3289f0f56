"""The larger rings (大环串小环): sweeps that close, the year's orders, the sector loop. A larger ring never closes over an open smaller one."""
