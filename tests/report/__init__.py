"""Reports of trainings, and trainings run again."""
