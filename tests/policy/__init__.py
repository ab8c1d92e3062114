"""What docs/policy.md promises to those who depend on jkeras."""
