"""The names of signature methods: as RFC 5849 section 3.4 writes them, and as gateways do."""

from enum import StrEnum


class SignatureMethod(StrEnum):
    """How a request was signed: `SignatureMethod("HmacSHA1")`, or any other alias in any case, is `HMAC_SHA1`.

    HMAC_SHA256 and RSA_SHA256 are names in common use that RFC 5849 does not have. The HMAC ones stand for `hmac-sha-1`
    and `hmac-sha-256` of OAuth 2.0 MAC too. Raises ValueError for a name that is none.
    """

    HMAC_SHA1 = "HMAC-SHA1"
    HMAC_SHA256 = "HMAC-SHA256"
    RSA_SHA1 = "RSA-SHA1"
    RSA_SHA256 = "RSA-SHA256"
    PLAINTEXT = "PLAINTEXT"

    @property
    def aliases(self) -> tuple[str, ...]:
        """The other names, the one of Java's cryptography first."""
        return _ALIASES[self]

    @classmethod
    def _missing_(cls, value: object) -> "SignatureMethod":
        method = _BY_NAME.get(str(value).lower())
        if method is None:
            raise ValueError(f"{value!r} is not a signature method: {', '.join(cls)}")
        return method


_ALIASES = {
    SignatureMethod.HMAC_SHA1: ("HmacSHA1", "hmac-sha1", "hmac-sha-1"),
    SignatureMethod.HMAC_SHA256: ("HmacSHA256", "hmac-sha256", "hmac-sha-256", "sha-256"),
    SignatureMethod.RSA_SHA1: ("SHA1withRSA", "rsa-sha1"),
    SignatureMethod.RSA_SHA256: ("SHA256withRSA", "rsa-sha256"),
    SignatureMethod.PLAINTEXT: ("plaintext",),
}
_BY_NAME = {name.lower(): method for method, aliases in _ALIASES.items() for name in (method.value, *aliases)}
