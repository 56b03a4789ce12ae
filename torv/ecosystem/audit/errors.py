"""What audit refuses, beside what every slice may."""

from torv.base.errors import TorvError


class NotYetSealed(TorvError):
    """No signed head of the log covers this yet; within ten seconds one will."""

    status, code, retry_after = 409, "not_yet_sealed", 10
    danish = "Loggens underskrevne hoved dækker det ikke endnu. Det sker inden for ti sekunder."


class PositionUnknown(TorvError):
    """The log has no such entry or size; it has {size} entries."""

    status, code = 422, "position_unknown"
    danish = "Loggen har ingen sådan linje eller størrelse. Den har {size} linjer."


class BundleInvalid(TorvError):
    """Line {line} of the file cannot be read."""

    status, code = 422, "bundle_invalid"
    danish = "Filens linje {line} kan ikke læses."


class NothingLost(TorvError):
    """The log still holds every head of the witness; there is no break to declare."""

    status, code = 409, "nothing_lost"
    danish = "Loggen indeholder stadig alle vidnets hoveder. Der er intet brud at erklære."


class NotTheSameLog(TorvError):
    """The witness is of another log: {log}."""

    status, code = 409, "not_the_same_log"
    danish = "Vidnet hører til en anden log: {log}."


class HeadKeyMissing(TorvError):
    """The private half of the key that heads are signed with, {kid}, is not among Torv's keys."""

    status, code = 503, "head_key_missing"
    danish = "Den private del af nøglen, som loggens hoveder underskrives med, {kid}, er ikke blandt Torvs nøgler."


class HeadKeyOutsidePeriod(TorvError):
    """The head of {at} is signed with the key {kid}, which was not in force then."""

    status, code = 422, "head_key_outside_period"
    danish = "Hovedet fra {at} er underskrevet med nøglen {kid}, der ikke gjaldt på det tidspunkt."
