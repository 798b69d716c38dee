"""Deciding what will be measured. Pure: the same scenario, library and seed give the same plan, byte for byte."""
