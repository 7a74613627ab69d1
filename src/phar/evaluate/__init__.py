"""How right a profile is: reports held against the truth."""
