"""KLE: KL's subject classification comes in from its two file formats, as one edition of classification."""

from torv.interfaces.kle.importing import import_file, read_file

__all__ = ["import_file", "read_file"]
