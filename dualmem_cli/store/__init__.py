"""Records, builds and baselines on disk: atomic writes, checked reads."""
