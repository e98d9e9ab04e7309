"""Whether anything grows that should not, while a steady load goes on for long."""
