"""Classification: what cases are about, as KLE and other code lists name it, edition by edition."""

from torv.kernel.classification.api import routes
from torv.kernel.classification.models import (
    ChangeKind,
    CodeList,
    Edition,
    Entry,
    EntryChange,
    EntryFilter,
    Import,
    Keyword,
    ListedEntry,
    NewEdition,
    NewEntry,
    Suggestion,
)
from torv.kernel.classification.service import (
    find_index,
    import_edition,
    list_editions,
    list_entries,
    read_entry,
    suggest_entries,
)

__all__ = [
    "ChangeKind",
    "CodeList",
    "Edition",
    "Entry",
    "EntryChange",
    "EntryFilter",
    "Import",
    "Keyword",
    "ListedEntry",
    "NewEdition",
    "NewEntry",
    "Suggestion",
    "find_index",
    "import_edition",
    "list_editions",
    "list_entries",
    "read_entry",
    "routes",
    "suggest_entries",
]
