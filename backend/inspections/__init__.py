"""What an inspector answered at a site. Never what follows from it."""
