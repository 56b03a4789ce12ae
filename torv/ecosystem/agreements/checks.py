"""The checks of a decision, in the order in which they run, and what each says when it fails."""

EXPORT = frozenset({"export"})  #: what an agreement in exit still permits

#: causes of an agreement that has run out by itself: the emergency list may keep open what these would refuse, unless
#: somebody has stopped it or one above it as well (see the decision on emergency access)
LAPSES = frozenset({"expired", "ended"})

_OWNER, _BOTH, _SUPPLIER = "Den kontraktansvarlige", "Parterne", "Leverandøren"
#: check -> English reason, Danish reason, who can mend it
CHECKS: dict[str, tuple[str, str, str]] = {
    "no_agreement": ("there is no agreement for this module", "der er ingen aftale for modulet", _OWNER),
    "rejected": ("the agreement was rejected", "aftalen er afvist", _BOTH),
    "proposed": ("the agreement is not signed by all", "aftalen er ikke underskrevet af alle", _BOTH),
    "superseded": ("a later version has replaced the agreement", "aftalen er afløst af en nyere version", _OWNER),
    "waiting": ("the agreement is not yet in force", "aftalen er ikke trådt i kraft", _BOTH),
    "closed": ("the agreement is closed", "aftalen er lukket", _OWNER),
    "expired": ("the agreement has expired", "aftalen er udløbet", _BOTH),
    "ended": ("the agreement ended after notice", "aftalen er opsagt og ophørt", _BOTH),
    "revoked": ("the agreement was ended at once", "aftalen er ophævet", _OWNER),
    "exit": ("the agreement is being wound up: export only", "aftalen er under afvikling: kun udlevering", _OWNER),
    "suspended": ("the agreement is suspended", "aftalen er suspenderet", _OWNER),
    "parent_invalid": (
        "the supplier's agreement that this one stands under is not in force",
        "leverandørens aftale, som denne hviler på, gælder ikke",
        _OWNER,
    ),
    "subsupplier_not_approved": (
        "the municipality has not approved the sub-supplier",
        "kommunen har ikke godkendt underleverandøren",
        _OWNER,
    ),
    "subsupplier_revoked": (
        "the approval of the sub-supplier was withdrawn",
        "godkendelsen af underleverandøren er trukket tilbage",
        _OWNER,
    ),
    "location_not_allowed": (
        "the sub-supplier works in a country the agreement does not allow",
        "underleverandøren arbejder i et land, som aftalen ikke tillader",
        _BOTH,
    ),
    "oversight_overdue": ("oversight is overdue", "tilsynet med behandlingen er ikke udført i tide", _OWNER),
    "service": ("no grant for this service", "der er ingen tilladelse til tjenesten", _BOTH),
    "version": ("no grant for this version of the service", "der er ingen tilladelse til denne version", _BOTH),
    "operation": ("no grant for this operation", "der er ingen tilladelse til handlingen", _BOTH),
    "category": ("no grant for this data category", "der er ingen tilladelse til datakategorien", _BOTH),
    "dpa_missing": ("the data-processing terms do not cover it", "databehandlervilkårene dækker det ikke", _BOTH),
    "purpose": ("no grant for this purpose", "der er ingen tilladelse til formålet", _BOTH),
    "key_mismatch": ("the grant is for another key", "tilladelsen gælder en anden nøgle", _SUPPLIER),
    "time_window": ("the grant does not hold at this hour", "tilladelsen gælder ikke på dette tidspunkt", _BOTH),
    "reach": (
        "the grant is limited to some rows, and this service cannot be",
        "tilladelsen er afgrænset, og det kan denne tjeneste ikke være",
        _BOTH,
    ),
    "wider_than_parent": (
        "the supplier's own agreement does not permit it",
        "leverandørens egen aftale tillader det ikke",
        _BOTH,
    ),
    "unconfirmed": ("it is not known what is in force", "det vides ikke, hvad der gælder", "Driften"),
}
RANK = {check: rank for rank, check in enumerate(CHECKS)}
