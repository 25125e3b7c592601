"""Grants that no scheme has proved, for what is only told about them."""

import json
from typing import Any

from hypothesis import strategies as st

from oauth_rs import Grant
from oauth_rs.claim_names import ClaimNames

NAMES = ClaimNames(properties=("properties",), owner={"name": "", "mail": "email"}, domain="people.example")
anything = st.text(st.characters(categories=None))  # halves of surrogate pairs too, as JSON may hold them


def grant(claims: Any = None, **changes: Any) -> Grant:
    fields: dict[str, Any] = {
        "scheme": "Bearer",
        "provider": "p",
        "issuer": "https://id.example.com",
        "subject": "ada",
        "client_id": "app",
        "scopes": frozenset({"photos", "albums"}),
        "expires_at": 0,
        "claims_json": json.dumps(claims or {}).encode(),
        "names": NAMES,
        **changes,
    }
    return Grant(**fields)


names = st.text(st.characters(categories=None), min_size=1)
# What may be in a grant that some issuer or scheme made, where nothing is as it should be.
grants = st.builds(
    grant,
    st.fixed_dictionaries({"properties": st.dictionaries(names, anything), "name": anything, "email": anything}),
    scheme=anything,
    subject=anything,
    client_id=anything,
    scopes=st.frozensets(names),
    names=st.builds(ClaimNames, properties=st.just(("properties",)), domain=anything),
)
