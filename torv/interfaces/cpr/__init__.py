"""CPR: the national register of persons; imports its extracts, and writes such files about people who do not exist."""

from torv.interfaces.cpr.errors import CprFileChanged, CprFileInvalid, CprFileOutdated
from torv.interfaces.cpr.models import Imported, Report, Stage
from torv.interfaces.cpr.service import forget_unknown_records, import_extract
from torv.interfaces.cpr.writing import write_extract

__all__ = [
    "CprFileChanged",
    "CprFileInvalid",
    "CprFileOutdated",
    "Imported",
    "Report",
    "Stage",
    "forget_unknown_records",
    "import_extract",
    "write_extract",
]
