"""Whether a grant may do what it asks for: the verdict on a requirement, asked by policies and by decorators.

Does not check credentials, and does not know which operation asks for what.
"""

from .errors import InsufficientScope, MissingCredentials, OAuthError
from .flow import Flow
from .model import Grant, shortfall
from .policy import UNCHECKED, Operation
from .request import Request
from .scopes import Lack, Requirement, all_of


def authorize(grant: Grant | None, *needed: str | Requirement) -> Grant:
    """`grant`, when there is one and it meets all of `needed`. For what can be told without the request.

    Raises MissingCredentials (`no_credentials`), InsufficientScope (`insufficient_scope`), InsufficientAuthentication
    (`acr_too_low`, `authentication_too_old`), and TypeError for what needs the request to be told.
    """
    if grant is None:
        raise no_credentials(all_of(needed))
    grant.require(*needed)
    return grant


def permit(grant: Grant | None, requirement: Requirement, request: Request) -> Grant | Flow[Grant]:
    """`grant`, when there is one and it meets `requirement` for `request`; a flow where that must be waited for.

    Raises what `authorize` raises, InsufficientScope (`condition_not_met`) and what a condition raises.
    """
    if grant is None:
        raise no_credentials(requirement)
    lack = shortfall(grant, requirement, request)
    if lack is None:
        return grant
    if isinstance(lack, OAuthError):
        raise lack
    return _wait(lack, grant)


def permit_operation(grant: Grant, operation: Operation | None, request: Request) -> Grant | Flow[Grant]:
    """`grant`, when a policy maps `operation` and the grant meets its rule.

    Raises InsufficientScope (`operation_not_mapped`) and what `permit` raises.
    """
    if operation is None or isinstance(operation.rule, UNCHECKED):  # to ask for Requirement takes as long as all else
        raise InsufficientScope(
            "operation_not_mapped", "Nobody is granted this operation.", scope="", scheme=grant.scheme
        )
    return permit(grant, operation.rule, request)


def no_credentials(requirement: Requirement | None = None) -> MissingCredentials:
    """The refusal of a request without credentials, with the scopes that `requirement` takes."""
    scope = "" if requirement is None else " ".join(requirement.scopes)
    return MissingCredentials("no_credentials", "This resource needs credentials.", scope=scope)


def _wait(flow: Flow[Lack], grant: Grant) -> Flow[Grant]:
    lack = yield from flow
    if lack is not None:
        raise lack
    return grant
