"""Runs published vectors through this package: `python -m tests.vectors.published FOLDER`.

Prints a line per file and every vector that was answered wrongly. Exits with 0 when there was none, with 1 when there
was one or nothing was run, with 2 when it was called wrongly. To add a file: write its reader, name it in READERS.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import bearer_texts, jose_texts, mac_texts, oauth1_texts, wycheproof
from .cases import Case, Expected, Reader

_PRIMITIVES = "wycheproof/primitives"
_DECRYPTION = "decryption of RSAES-PKCS1-v1_5, not signatures"
_KEY_AGREEMENT = "key agreement for encryption"

READERS: Mapping[str, Reader] = {
    "wycheproof/json_web_signature_test.json": wycheproof.signatures,
    "wycheproof/json_web_key_test.json": wycheproof.keys,
    "wycheproof/json_web_crypto_test.json": wycheproof.crypto,
    f"{_PRIMITIVES}/ecdsa_secp256r1_sha256_p1363_test.json": wycheproof.ecdsa("ES256"),
    f"{_PRIMITIVES}/ecdsa_secp384r1_sha384_p1363_test.json": wycheproof.ecdsa("ES384"),
    f"{_PRIMITIVES}/ecdsa_secp521r1_sha512_p1363_test.json": wycheproof.ecdsa("ES512"),
    f"{_PRIMITIVES}/ecdsa_secp256k1_sha256_p1363_test.json": wycheproof.foreign_curve,
    f"{_PRIMITIVES}/ed25519_test.json": wycheproof.ed25519,
    f"{_PRIMITIVES}/rsa_pss_2048_sha256_mgf1_32_test.json": wycheproof.rsa_pss("PS256"),
    f"{_PRIMITIVES}/rsa_pss_3072_sha256_mgf1_32_test.json": wycheproof.rsa_pss("PS256"),
    f"{_PRIMITIVES}/rsa_pss_4096_sha384_mgf1_48_test.json": wycheproof.rsa_pss("PS384"),
    f"{_PRIMITIVES}/rsa_pss_4096_sha512_mgf1_64_test.json": wycheproof.rsa_pss("PS512"),
    f"{_PRIMITIVES}/hmac_sha1_test.json": mac_texts.hmac_sha1,
    f"{_PRIMITIVES}/hmac_sha256_test.json": wycheproof.hmac("HS256", 256),
    f"{_PRIMITIVES}/hmac_sha384_test.json": wycheproof.hmac("HS384", 384),
    f"{_PRIMITIVES}/hmac_sha512_test.json": wycheproof.hmac("HS512", 512),
    "rfc7515_appendix_a.json": jose_texts.rfc7515,
    "rfc7520_cookbook.json": jose_texts.cookbook,
    "json_parsing_suite.json": jose_texts.json_suite,
    "rfc9068_7662_9701_6750.json": bearer_texts.bearer,
    "rfc5849.json": oauth1_texts.oauth1,
    "oauth1_wiki_testcases.json": oauth1_texts.oauth1,
    "oauthlib_signatures.json": oauth1_texts.oauth1,
    "oauth1_body_hash.json": oauth1_texts.oauth1,
    "twitter_oauth1.json": oauth1_texts.oauth1,
    "oauth2_mac_drafts.json": mac_texts.mac,
}
PACKED: Mapping[str, Reader] = {"oauth1.json": oauth1_texts.oauth1, "mac.json": mac_texts.mac}
"""The files beside this one, which the tests run where there is no folder of published vectors."""
NOT_YET: Mapping[str, str] = {
    "rfc9449_dpop.json": "DPoP",
    "rfc8705_mtls.json": "mutual TLS",
    "rfc9421_examples.json": "HTTP message signatures",
    "rfc9728_metadata.json": "metadata of protected resources",
}
NOT_OURS: Mapping[str, str] = {
    "wycheproof/json_web_encryption_test.json": "encrypted (JWE)",
    "wycheproof/x25519_jwk_test.json": _KEY_AGREEMENT,
    "wycheproof/x448_jwk_test.json": _KEY_AGREEMENT,
    f"{_PRIMITIVES}/rsa_pkcs1_2048_test.json": _DECRYPTION,
    f"{_PRIMITIVES}/rsa_pkcs1_3072_test.json": _DECRYPTION,
    f"{_PRIMITIVES}/rsa_pkcs1_4096_test.json": _DECRYPTION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the cases of one file: how many of each kind, and which binding ones were answered wrongly."""

    counts: Counter[Expected]
    false_accepts: tuple[str, ...]
    false_rejects: tuple[str, ...]
    skipped: Counter[str]

    @property
    def binding(self) -> int:
        return self.counts[Expected.ACCEPT] + self.counts[Expected.REFUSE]

    @property
    def wrong(self) -> int:
        return len(self.false_accepts) + len(self.false_rejects)

    @property
    def row(self) -> tuple[int, ...]:
        """The numbers under _HEADINGS."""
        return (
            self.counts.total(),
            self.counts[Expected.ACCEPT] - len(self.false_rejects),
            self.counts[Expected.REFUSE] - len(self.false_accepts),
            len(self.false_accepts),
            len(self.false_rejects),
            self.counts[Expected.EITHER],
            self.counts[Expected.VOID],
            self.counts[Expected.SKIP],
        )


_HEADINGS = ("cases", "accepted", "refused", "false accepts", "false rejects", "either", "void", "skipped")


def outcome(cases: Iterable[Case]) -> Outcome:
    """What our code answers to `cases`. An attempt that raises ends the run: it is a crash a stranger could cause."""
    counts: Counter[Expected] = Counter()
    reasons: Counter[str] = Counter()
    wrong: dict[Expected, list[str]] = {Expected.ACCEPT: [], Expected.REFUSE: []}
    for case in cases:
        counts[case.expected] += 1
        if case.expected is Expected.SKIP:
            reasons[case.why] += 1
            continue
        accepted = case.attempt()
        if case.expected in wrong and accepted != (case.expected is Expected.ACCEPT):
            wrong[case.expected].append(case.id)
    return Outcome(
        counts=counts,
        false_accepts=tuple(wrong[Expected.REFUSE]),
        false_rejects=tuple(wrong[Expected.ACCEPT]),
        skipped=reasons,
    )


def run(folder: Path, name: str) -> Outcome:
    return outcome(READERS[name](json.loads((folder / name).read_bytes())))


def report(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """The table and its sum, why cases were skipped, and the wrong answers last, where they are seen."""
    yield _line("", _HEADINGS)
    yield from (_line(name, one.row) for name, one in outcomes.items())
    yield _line("total", [sum(one.row[at] for one in outcomes.values()) for at in range(len(_HEADINGS))])
    for name, one in outcomes.items():
        yield from (f"skipped       {name}: {count} x {why}" for why, count in one.skipped.items())
    for name, one in outcomes.items():
        yield from (f"FALSE ACCEPT  {name}: {case}" for case in one.false_accepts)
        yield from (f"FALSE REJECT  {name}: {case}" for case in one.false_rejects)


def unread(folder: Path) -> Iterator[str]:
    """The files of `folder` that nothing was run of, and why; and the known ones that it lacks."""
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    yield from (f"not yet       {name}: {why}" for name, why in NOT_YET.items() if name in present)
    yield from (f"not ours      {name}: {why}" for name, why in NOT_OURS.items() if name in present)
    yield from (f"NO READER     {name}" for name in sorted(present - {*READERS, *NOT_YET, *NOT_OURS}))
    yield from (f"MISSING       {name}" for name in READERS if name not in present)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        _print("usage: python -m tests.vectors.published FOLDER, one that holds published vectors")
        return 2
    folder = Path(arguments[0])
    outcomes = {name: run(folder, name) for name in READERS if (folder / name).is_file()}
    for line in (*unread(folder), *report(outcomes)):
        _print(line)
    return 1 if any(one.wrong for one in outcomes.values()) or not any(one.binding for one in outcomes.values()) else 0


def _line(name: str, cells: Iterable[object]) -> str:
    columns = zip(cells, _HEADINGS, strict=True)
    return "  ".join((f"{name:<60}", *(f"{cell:>{len(heading)}}" for cell, heading in columns)))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
