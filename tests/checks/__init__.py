"""Checks of the tree that `make check` runs beside the linters."""
