"""The ecosystem: who may plug in, on what terms, and how one supplier's module takes over from another's."""
