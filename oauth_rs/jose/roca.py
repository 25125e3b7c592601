"""The fingerprint of RSA moduli made by a flawed generator (CVE-2017-15361, "The Return of Coppersmith's Attack").

The flawed library made primes that are powers of 65537 modulo the product of the first primes, so the modulus is a
power of 65537 modulo each of them. A sound modulus passes all these tests with a chance of about 2**-27.
"""

_GENERATOR = 65537
# The odd primes modulo which 65537 does not generate everything; the others say nothing.
_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))


_RESIDUES = tuple((prime, _powers(prime)) for prime in _PRIMES)


def fingerprinted(modulus: int) -> bool:
    """True when `modulus` bears the mark of the flawed generator and may be factored from the public key alone."""
    return all(modulus % prime in residues for prime, residues in _RESIDUES)
