"""What is added to a record later to prove it. Never what a picture shows."""
