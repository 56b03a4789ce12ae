"""Torv: a shared kernel for a municipality, and the market square of modules around it."""
