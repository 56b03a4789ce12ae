"""The kernel: the shared truth about persons, users and what modules have recorded."""
