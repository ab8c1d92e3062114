"""What people read: text on a console, what `dir` shows, and what to install."""
