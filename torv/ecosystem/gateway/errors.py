"""What the gateway refuses, beside what every slice may."""

from torv.base.errors import ModuleUnavailable, TorvError


class ModuleAnswerInvalid(ModuleUnavailable):
    """The module's answer cannot be used: {reason}."""

    status, code = 502, "module_answer_invalid"
    danish = "Modulets svar kan ikke bruges: {reason_da}."


class ModuleResting(TorvError):
    """The module has not answered several times in a row and is left alone; try again in {retry_after} seconds."""

    status, code = 503, "module_resting"
    danish = "Modulet har flere gange i træk ikke svaret og får ro. Prøv igen om {retry_after} sekunder."


class ModuleBusy(TorvError):
    """The module has {limit} calls under way and gets no more; try again in a moment."""

    status, code, usual_wait = 503, "module_busy", 1
    danish = "Modulet har {limit} kald i gang og får ikke flere. Prøv igen om et øjeblik."


class TooManyCalls(TorvError):
    """You have {limit} calls under way; wait for one of them."""

    status, code, usual_wait = 429, "too_many_calls", 1
    danish = "Du har {limit} kald i gang. Vent på et af dem."


class RequestTooSlow(TorvError):
    """The request did not arrive within {seconds} seconds."""

    status, code = 408, "request_too_slow"
    danish = "Kaldet nåede ikke frem inden for {seconds} sekunder."


class CallLoop(TorvError):
    """The call goes round in a circle: it follows from more than {limit} others."""

    status, code = 508, "call_loop"
    danish = "Kaldet går i ring. Det følger af mere end {limit} andre."


class PageMoved(TorvError):
    """The page belongs to a supplier that no longer provides this; open it again."""

    status, code = 409, "page_moved"
    danish = "Siden hører til en leverandør, der ikke længere varetager ydelsen. Åbn den igen."
