"""OpenAPI documents: read as policies, and written with what a policy asks for (OpenAPI 3.0, 3.1 and 3.2).

Documents are plain dicts, as JSON and YAML give them. Reads and writes no files.
"""

from .reading import policy_from
from .writing import write_security

__all__ = ["policy_from", "write_security"]
