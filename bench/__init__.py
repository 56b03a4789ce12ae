"""The bench: what a request costs, measured in an installation of its own and beside yardsticks of the same run."""
