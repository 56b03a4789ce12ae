"""Every refusal Torv can give: the class name is the event, the docstring is the message, the code is stable."""

from typing import Any, ClassVar


class TorvError(Exception):
    """Something went wrong inside Torv; nothing was changed."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    danish: ClassVar[str] = "Der gik noget galt i Torv. Intet er ændret."
    usual_wait: ClassVar[int | None] = None  #: seconds, where trying again makes sense

    def __init__(self, **facts: Any) -> None:
        self.facts = facts  #: shown in the problem document: never personal data
        self.retry_after: int | None = facts.get("retry_after", self.usual_wait)
        super().__init__(self.message("en"))

    def message(self, language: str) -> str:
        """The sentence for a person, in Danish (`da`) or English (`en`), with the facts filled in."""
        text = self.danish if language == "da" else (self.__doc__ or "").strip()
        return text.format_map(_Facts(self.facts))


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


# Who asks, and may they?
class NotIdentified(TorvError):
    """You are not signed in, or the token is not valid."""

    status, code = 401, "not_identified"
    danish = "Du er ikke logget ind, eller adgangsbeviset er ikke gyldigt."


class TokenExpired(TorvError):
    """The access token has expired; fetch a new one."""

    status, code = 401, "token_expired"
    danish = "Adgangsbeviset er udløbet. Hent et nyt."


class InvalidClient(TorvError):
    """The client assertion is not valid: {reason}."""

    status, code = 401, "invalid_client"
    danish = "Programmets legitimation er ikke gyldig: {reason}."


class WrongPassword(TorvError):
    """The user name or the password is wrong."""

    status, code = 401, "wrong_password"
    danish = "Brugernavn eller adgangskode er forkert."


class TooManyFailures(TorvError):
    """Signing in has failed too often under this name; wait a quarter of an hour."""

    status, code, usual_wait = 429, "too_many_failures", 900
    danish = "Der er forsøgt for mange gange med dette brugernavn. Vent et kvarter."


class Denied(TorvError):
    """This is not permitted: {reason}."""

    status, code = 403, "denied"
    danish = "Det er der ikke givet tilladelse til: {reason_da}. {mender} kan rette det."


class QuotaExceeded(TorvError):
    """The limit of {amount} {kind} in {seconds} seconds is used up; try again in {retry_after} seconds."""

    status, code = 429, "quota_exceeded"
    danish = "Grænsen på {amount} {kind_da} på {seconds} sekunder er brugt. Prøv igen om {retry_after} sekunder."


class CrossSiteRefused(TorvError):
    """The request comes from another site than Torv."""

    status, code = 403, "cross_site_refused"
    danish = "Kaldet kommer fra et andet websted end Torv."


# Is the request well made?
class MalformedRequest(TorvError):
    """The request is not well formed: {reason}."""

    status, code = 400, "malformed_request"
    danish = "Kaldet er ikke korrekt opbygget: {reason}."


class InvalidInput(TorvError):
    """The content is not valid: {reason}."""

    status, code = 422, "invalid_input"
    danish = "Indholdet er ikke gyldigt: {reason}."


class TooLarge(TorvError):
    """The content is larger than {limit} bytes."""

    status, code = 413, "too_large"
    danish = "Indholdet fylder mere end {limit} byte."


class NotFound(TorvError):
    """There is no such thing here."""

    status, code = 404, "not_found"
    danish = "Det findes ikke."


class MethodNotAllowed(TorvError):
    """This address does not take that method."""

    status, code = 405, "method_not_allowed"
    danish = "Adressen tager ikke imod den metode."


class VersionRequired(TorvError):
    """An update must say which version it changes (If-Match)."""

    status, code = 428, "version_required"
    danish = "En rettelse skal sige, hvilken version den retter (If-Match)."


class VersionMismatch(TorvError):
    """Somebody changed this meanwhile; read it again."""

    status, code = 412, "version_mismatch"
    danish = "Nogen har ændret det i mellemtiden. Hent det igen."


class CursorInvalid(TorvError):
    """The cursor does not belong to this list; start again without it."""

    status, code = 400, "cursor_invalid"
    danish = "Sidemærket hører ikke til denne liste. Begynd forfra uden det."


class IdempotencyKeyRequired(TorvError):
    """A call that changes something must carry an Idempotency-Key of 1 to 200 characters."""

    status, code = 400, "idempotency_key_required"
    danish = "Et kald, der ændrer noget, skal have en Idempotency-Key på 1 til 200 tegn."


class IdempotencyKeyReused(TorvError):
    """The Idempotency-Key was used before for something else."""

    status, code = 409, "idempotency_key_reused"
    danish = "Nøglen (Idempotency-Key) er allerede brugt til noget andet."


class CallInProgress(TorvError):
    """The same call is being carried out now; try again in a moment."""

    status, code, usual_wait = 409, "call_in_progress", 1
    danish = "Det samme kald er i gang. Prøv igen om et øjeblik."


# Is Torv able to answer just now?
class Busy(TorvError):
    """Somebody else is changing this right now; try again in a moment."""

    status, code, usual_wait = 409, "busy", 1
    danish = "En anden er ved at ændre det. Prøv igen om et øjeblik."


class Overloaded(TorvError):
    """Torv is too busy just now; try again in a moment."""

    status, code, usual_wait = 503, "overloaded", 1
    danish = "Torv har for travlt lige nu. Prøv igen om et øjeblik."


class DatabaseUnavailable(TorvError):
    """The database does not answer; nothing was changed."""

    status, code, usual_wait = 503, "database_unavailable", 2
    danish = "Databasen svarer ikke. Intet er ændret."


class ClockSetBack(TorvError):
    """The clock is {seconds} s behind the newest entry of the trail."""

    status, code = 503, "clock_set_back"
    danish = "Uret er {seconds} s bagud i forhold til den nyeste post i loggen."


class TrailUnavailable(TorvError):
    """The access could not be logged, so nothing is shown."""

    status, code, usual_wait = 503, "trail_unavailable", 2
    danish = "Opslaget kunne ikke logges, så intet vises."


class StateUnconfirmed(TorvError):
    """Torv cannot confirm which agreements are in force just now."""

    status, code, usual_wait = 503, "state_unconfirmed", 1
    danish = "Torv kan lige nu ikke bekræfte, hvilke aftaler der gælder."


class ConstraintBroken(TorvError):
    """The database refused the change."""

    status, code = 409, "constraint_broken"
    danish = "Databasen afviste ændringen."


# Persons
class CprInvalid(TorvError):
    """This is not a CPR number."""

    status, code = 422, "cpr_invalid"
    danish = "Det er ikke et CPR-nummer."


class CprAlreadyKnown(TorvError):
    """The CPR number belongs to another person."""

    status, code = 409, "cpr_already_known"
    danish = "CPR-nummeret tilhører en anden person."


# Classification
class EditionRefused(TorvError):
    """The edition cannot be imported: {reason}."""

    status, code = 422, "edition_refused"
    danish = "Udgaven kan ikke indlæses: {reason_da}."


class KleFileInvalid(TorvError):
    """The file is not a usable KLE file. Line {line}: {reason}."""

    status, code = 422, "kle_file_invalid"
    danish = "Filen er ikke en brugbar KLE-fil. Linje {line}: {reason_da}."


# Records
class RecordInvalid(TorvError):
    """The record does not follow its contract: {reason}."""

    status, code = 422, "record_invalid"
    danish = "Posten følger ikke sin kontrakt: {reason}."


class RecordTypeUnknown(TorvError):
    """No contract declares this type of record."""

    status, code = 422, "record_type_unknown"
    danish = "Ingen kontrakt beskriver den type post."


class PersonUnknown(TorvError):
    """The person is not known to the kernel."""

    status, code = 422, "person_unknown"
    danish = "Kernen kender ikke personen."


class BindingMoved(TorvError):
    """This module does not hold the capability now; the write was kept as late and does not count."""

    status, code = 409, "binding_moved"
    danish = "Modulet varetager ikke ydelsen nu. Det skrevne er gemt som forsinket og tæller ikke med."


# Partners, agreements, modules
class CvrInvalid(TorvError):
    """This is not a CVR number."""

    status, code = 422, "cvr_invalid"
    danish = "Det er ikke et CVR-nummer."


class AlreadyExists(TorvError):
    """It already exists."""

    status, code = 409, "already_exists"
    danish = "Det findes allerede."


class SignatureInvalid(TorvError):
    """The signature is not valid: {reason}."""

    status, code = 422, "signature_invalid"
    danish = "Underskriften er ikke gyldig: {reason}."


class WrongState(TorvError):
    """That cannot be done while the state is {state}."""

    status, code = 409, "wrong_state"
    danish = "Det kan ikke gøres, mens tilstanden er {state}."


class MoveUnderWay(TorvError):
    """Another move of this capability is under way."""

    status, code = 409, "move_under_way"
    danish = "En anden flytning af ydelsen er i gang."


class ModuleAddressInvalid(TorvError):
    """The address of the module cannot be used: {reason}."""

    status, code = 422, "module_address_invalid"
    danish = "Modulets adresse kan ikke bruges: {reason}."


# Gateway and moves
class CapabilityNotBound(TorvError):
    """No module provides this capability."""

    status, code = 404, "capability_not_bound"
    danish = "Intet modul varetager ydelsen."


class MoveTakesTooLong(TorvError):
    """The capability is being moved to another supplier; try again in a moment."""

    status, code, usual_wait = 503, "move_in_progress", 1
    danish = "Ydelsen er ved at flytte til en anden leverandør. Prøv igen om et øjeblik."


class ModuleUnavailable(TorvError):
    """The module does not answer; nothing is known to have happened."""

    status, code, usual_wait = 502, "module_unavailable", 2
    danish = "Modulet svarer ikke."


class ModuleTimeout(TorvError):
    """The module did not answer within {seconds} seconds."""

    status, code = 504, "module_timeout"
    danish = "Modulet svarede ikke inden for {seconds} sekunder."


class OutcomeUnknown(TorvError):
    """It is not known whether the call took effect; repeat it with the same Idempotency-Key."""

    status, code, usual_wait = 503, "outcome_unknown", 1
    danish = "Det vides ikke, om kaldet nåede at virke. Gentag det med samme Idempotency-Key."
