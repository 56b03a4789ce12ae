"""Base: what every part of Torv stands on; no business words live here."""
