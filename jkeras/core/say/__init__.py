"""What people are told: text on a console, what `dir` shows, and what to install."""
