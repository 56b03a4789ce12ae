"""The demo: a small made-up municipality, and the story of a supplier switch under load; Torv used from outside."""

from torv.demo.run import show
from torv.demo.story import tell_story

__all__ = ["show", "tell_story"]
