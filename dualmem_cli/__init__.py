"""dualmem: a performance laboratory for dual-memory stores."""

__version__ = "0.1.0"
