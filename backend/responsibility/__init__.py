"""Who answers for a problem at every layer, by dated rule, with the reason. Never its state."""
