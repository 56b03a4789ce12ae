"""The two modules, loaded from their own folders as Python would load them from their own wheels."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[2] / "modules"


def load(name: str) -> ModuleType:
    """The module's program; loaded once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FOLDER / name / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


nordnote = load("nordnote")
kviknote = load("kviknote")
