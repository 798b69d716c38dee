"""Samples and limits in, findings and cautions out. Pure."""
