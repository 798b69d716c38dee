"""The only effects: worker processes, data files, builds, machine facts. And the fake that stands in for all of it."""
