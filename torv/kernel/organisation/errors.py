"""What organisation refuses, beside what every slice may."""

from torv.base.errors import TorvError


class UnitUnknown(TorvError):
    """The kernel does not know this unit."""

    status, code = 422, "unit_unknown"
    danish = "Kernen kender ikke enheden."


class EmployeeUnknown(TorvError):
    """The kernel does not know this employee."""

    status, code = 422, "employee_unknown"
    danish = "Kernen kender ikke medarbejderen."


class UnitMisplaced(TorvError):
    """On {day} the unit {unit} would have no place: it would stand below itself, or a unit above it is not there."""

    status, code = 409, "unit_misplaced"
    danish = "Den {day} ville enheden {unit} stå under sig selv, eller en enhed over den ville ikke findes."


class UnitAnchored(TorvError):
    """From {day} the unit {unit} would come below a unit with a supplier of its own, or out from below it."""

    status, code = 409, "unit_anchored"
    danish = "Fra {day} ville enheden {unit} komme ind under en enhed med sin egen leverandør, eller ud derfra."


class PositionStray(TorvError):
    """On {day} the position {position} would lack its unit or its employee."""

    status, code = 409, "position_stray"
    danish = "Den {day} ville stillingen {position} mangle sin enhed eller sin medarbejder."


class OrganisationFileInvalid(TorvError):
    """The file does not describe an organisation: {reason}."""

    status, code = 422, "organisation_file_invalid"
    danish = "Filen beskriver ikke en organisation: {reason}."
