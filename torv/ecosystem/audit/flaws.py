"""What verifying may find, in words: each says where, and what that means."""

from torv.ecosystem.audit.models import Flaw


def changed(position: int) -> Flaw:
    return Flaw(
        position=position,
        danish=f"Linje {position} passer ikke til sit segl. En af dem er ændret.",
        english=f"Entry {position} does not fit its seal: one of them was changed.",
    )


def no_entry(position: int) -> Flaw:
    return Flaw(
        position=position,
        danish=f"Linje {position} mangler. Kun dens segl er tilbage.",
        english=f"Entry {position} is missing; only its seal is left.",
    )


def no_leaf(position: int) -> Flaw:
    return Flaw(
        position=position,
        danish=f"Linje {position} har intet segl. Resten af loggen kan ikke efterprøves.",
        english=f"Entry {position} has no seal; what follows cannot be verified.",
    )


def no_salt(position: int) -> Flaw:
    return Flaw(
        position=position,
        danish=f"Linje {position} har mistet sit salt uden at være slettet for personoplysninger.",
        english=f"Entry {position} has lost its salt, and no person was taken out of it.",
    )


def undeclared_erasure(position: int) -> Flaw:
    return Flaw(
        position=position,
        danish=f"Personoplysninger er fjernet fra linje {position}, uden at loggen siger det.",
        english=f"A person was taken out of entry {position}, and the log does not say so.",
    )


def other_subtree(first: int, last: int) -> Flaw:
    return Flaw(
        position=first,
        last=last,
        danish=f"Mellem linje {first} og {last} er noget ændret, eller træet over dem er.",
        english=f"Something between entries {first} and {last} was changed, or the tree above them was.",
    )


def other_root(first: int, last: int) -> Flaw:
    return Flaw(
        position=first,
        last=last,
        danish=f"Det underskrevne hoved over {last} linjer passer ikke. Linje {first} til {last} er ikke som før.",
        english=f"The signed head over {last} entries does not fit: something between {first} and {last} was changed.",
    )


def bad_signature(size: int) -> Flaw:
    return Flaw(
        position=size,
        danish=f"Underskriften på hovedet over {size} linjer er ikke gyldig.",
        english=f"The signature on the head over {size} entries is not valid.",
    )


def outside_period(size: int, kid: str) -> Flaw:
    return Flaw(
        position=size,
        danish=f"Hovedet over {size} linjer er underskrevet med nøglen {kid} uden for den tid, nøglen gjaldt.",
        english=f"The head over {size} entries is signed with the key {kid} outside the period it was in force.",
    )


def bad_key(number: int) -> Flaw:
    return Flaw(
        position=None,
        danish=f"Skiftet til nøgle nr. {number} er ikke gyldigt underskrevet, eller loggen nævner det ikke.",
        english=f"The change to key {number} is not validly signed, or the log does not mention it.",
    )


def other_head(size: int) -> Flaw:
    return Flaw(
        position=size,
        danish=f"Hovedet over {size} linjer siger noget andet, end der er skrevet under på.",
        english=f"The head over {size} entries says something else than was signed.",
    )


def cut_off(size: int, known: int) -> Flaw:
    return Flaw(
        position=size + 1,
        danish=f"Loggen har {size} linjer, men der er skrevet under på {known}. Slutningen er væk.",
        english=f"The log has {size} entries, but {known} were signed: its end is gone.",
    )


def forked(size: int) -> Flaw:
    return Flaw(
        position=size,
        danish=f"Loggen er en anden end den, vidnet så: ved {size} linjer var roden en anden.",
        english=f"This is another log than the witness saw: with {size} entries its root was another.",
    )


def other_position(size: int, given: int) -> Flaw:
    return Flaw(
        position=min(size, given) + 1,
        danish=f"Loggen har {size} linjer, men der er uddelt {given} pladser.",
        english=f"The log has {size} entries, but {given} positions were given.",
    )


def bad_break(number: int) -> Flaw:
    return Flaw(
        position=None,
        danish=f"Det erklærede brud nr. {number} er ikke gyldigt underskrevet, eller loggen nævner det ikke.",
        english=f"The declared break {number} is not validly signed, or the log does not mention it.",
    )
