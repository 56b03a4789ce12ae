"""What records refuse, beside what every slice may."""

from torv.base.errors import TorvError


class UnitNeeded(TorvError):
    """The module provides the capability in several units: it must say which one this is for, in Torv-Unit."""

    status, code = 422, "unit_needed"
    danish = "Modulet varetager ydelsen i flere enheder. Det skal skrive i Torv-Unit, hvilken enhed det gælder."
