"""Capabilities in words: what people call what is provided, in the reader's language."""

from torv.base.http import Call
from torv.ecosystem.modules import titles_of_capabilities
from torv.web.rendering import language_of


async def titles_for(call: Call) -> dict[str, str]:
    """Capability -> its title in the reader's language. One without a contract is not there."""
    language = language_of(call.request)
    return {name: title[language] for name, title in (await titles_of_capabilities(call.tx)).items()}
