"""Modules: partners' programs, the contracts they keep, and which of them provides each capability now."""

from torv.ecosystem.modules.addresses import PublicResolver, addresses_of
from torv.ecosystem.modules.api import routes
from torv.ecosystem.modules.catalogue import categories_of, check_fits
from torv.ecosystem.modules.certifying import certify_release
from torv.ecosystem.modules.contract_checks import paths_may_meet
from torv.ecosystem.modules.contract_files import read_contract, read_folder, shipped_contracts
from torv.ecosystem.modules.contract_keeping import (
    add_contract,
    add_shipped_contract,
    contract_version,
    list_contracts,
    titles_of_capabilities,
)
from torv.ecosystem.modules.contracts import Contract, KeptContract, Launch, Operation
from torv.ecosystem.modules.directory import Directory, Route, load_directory
from torv.ecosystem.modules.errors import (
    CertificationRefused,
    ContractBreaks,
    ContractInvalid,
    ContractOutsideRange,
    ContractVersionWrong,
    MajorNotProvided,
    ReleaseRetired,
)
from torv.ecosystem.modules.event_types import EventType, event_types
from torv.ecosystem.modules.health import HealthState, HealthWatch
from torv.ecosystem.modules.inventory import find_components, find_locations
from torv.ecosystem.modules.models import (
    LEVELS,
    Binding,
    Certification,
    Certifier,
    FoundComponent,
    FoundLocation,
    Module,
    NewCertification,
    Release,
)
from torv.ecosystem.modules.service import (
    bind,
    end_standby,
    list_bindings,
    move_binding,
    register_module,
    register_release,
    release_by_id,
    release_in_service,
    set_shadow,
)
from torv.ecosystem.modules.tokens import AccessToken, forget_old_assertions, read_access_token

__all__ = [
    "LEVELS",
    "AccessToken",
    "Binding",
    "Certification",
    "CertificationRefused",
    "Certifier",
    "Contract",
    "ContractBreaks",
    "ContractInvalid",
    "ContractOutsideRange",
    "ContractVersionWrong",
    "Directory",
    "EventType",
    "FoundComponent",
    "FoundLocation",
    "HealthState",
    "HealthWatch",
    "KeptContract",
    "Launch",
    "MajorNotProvided",
    "Module",
    "NewCertification",
    "Operation",
    "PublicResolver",
    "Release",
    "ReleaseRetired",
    "Route",
    "add_contract",
    "add_shipped_contract",
    "addresses_of",
    "bind",
    "categories_of",
    "certify_release",
    "check_fits",
    "contract_version",
    "end_standby",
    "event_types",
    "find_components",
    "find_locations",
    "forget_old_assertions",
    "list_bindings",
    "list_contracts",
    "load_directory",
    "move_binding",
    "paths_may_meet",
    "read_access_token",
    "read_contract",
    "read_folder",
    "register_module",
    "register_release",
    "release_by_id",
    "release_in_service",
    "routes",
    "set_shadow",
    "shipped_contracts",
    "titles_of_capabilities",
]
