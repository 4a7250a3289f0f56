"""What is whose today: problems that wait for a person, and acts of the larger rings that are theirs. Reads only; changes nothing."""
