"""What partners refuse, beside what every slice may."""

from torv.base.errors import TorvError


class PartnerUnknown(TorvError):
    """Torv does not know this partner."""

    status, code = 422, "partner_unknown"
    danish = "Torv kender ikke partneren."


class PartnerMerged(TorvError):
    """The partner is part of another one by now: {into}."""

    status, code = 409, "partner_merged"
    danish = "Partneren er nu en del af en anden: {into}."


class MergeRefused(TorvError):
    """These two cannot become one: {reason}."""

    status, code = 409, "merge_refused"
    danish = "De to kan ikke blive til én: {reason_da}."


class EnrolmentRefused(TorvError):
    """The code is not valid: it is wrong, used, replaced or older than 48 hours."""

    status, code = 401, "enrolment_refused"
    danish = "Koden er ikke gyldig: den er forkert, brugt, afløst eller mere end 48 timer gammel."


class EnrolmentThrottled(TorvError):
    """Codes have been tried too often from here; wait a quarter of an hour."""

    status, code, usual_wait = 429, "enrolment_throttled", 900
    danish = "Der er prøvet for mange koder herfra. Vent et kvarter."


class FingerprintDiffers(TorvError):
    """The fingerprint is not that of the key; do not use the key."""

    status, code = 422, "fingerprint_differs"
    danish = "Fingeraftrykket er ikke nøglens. Brug ikke nøglen."


class SupplyChainInvalid(TorvError):
    """The supply chain cannot be like that: {reason}."""

    status, code = 422, "supply_chain_invalid"
    danish = "Leverandørkæden kan ikke være sådan: {reason_da}."


class SecondPersonRequired(TorvError):
    """Somebody else than the one who registered it must approve it."""

    status, code = 403, "second_person_required"
    danish = "En anden end den, der har registreret det, skal godkende det."
