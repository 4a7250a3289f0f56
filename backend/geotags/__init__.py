"""Where a finding lies: district, township, nearest perimeter, with reasons. No problems."""
