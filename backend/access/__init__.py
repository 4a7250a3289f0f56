"""Who may (roles × permissions) and who sees (territory × department). No feature may be named here."""
