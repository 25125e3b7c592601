import json
from base64 import b64encode
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.cases import Case, Expected
from tests.vectors.published import NOT_OURS, NOT_YET, PACKED, READERS, Outcome, main, outcome, run

FOLDER = Path(__file__).parents[3] / "shared" / "vectors"
SUITE = "json_parsing_suite.json"

HERE: dict[str, dict[str, Any]] = {name: json.loads((Path(__file__).parent / name).read_bytes()) for name in PACKED}

published = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"NO PUBLISHED VECTORS WERE RUN: there is no folder {FOLDER}"
)


@pytest.mark.parametrize("name", PACKED)
def test_no_packed_vector_is_answered_wrongly(name: str) -> None:
    answers = outcome(PACKED[name](HERE[name]))
    assert answers.binding
    assert (answers.false_accepts, answers.false_rejects, answers.skipped) == ((), (), {})


def caseless(vectors: Collection[dict[str, Any]], cases: Collection[Case]) -> set[str]:
    """The vectors that no case was made of: a case has the name of its vector, or one that begins with it."""
    named = {vector["id"] for vector in vectors}
    return (
        named
        - {case.id for case in cases}
        - {name for name in named for case in cases if case.id.startswith(f"{name} ")}
    )


@pytest.mark.parametrize("name", PACKED)
def test_every_packed_vector_is_a_case(name: str) -> None:
    assert not caseless(HERE[name]["vectors"], list(PACKED[name](HERE[name])))


def altered(name: str, identity: str, member: str) -> Outcome:
    """What becomes of a packed vector that expects something else in `member`."""
    (vector,) = [vector for vector in HERE[name]["vectors"] if vector["id"] == identity]
    expected = {**vector["expected"], member: "x" + vector["expected"][member]}
    return outcome(PACKED[name]({"vectors": [{**vector, "expected": expected}]}))


@pytest.mark.parametrize(
    ("name", "identity", "member"),
    [
        ("oauth1.json", "encode-3", "encoded"),
        ("oauth1.json", "3.4.1.3.2-normalise", "normalized"),
        ("oauth1.json", "3.4.1.2-uri-1", "base_string_uri"),
        ("oauth1.json", "3.4.1.1-base-string", "base_string"),
        ("oauth1.json", "concat-1", "base_string"),
        ("oauth1.json", "1.2-photo", "base_string"),
        ("oauth1.json", "ruby-hmac-sha256-b64-good", "signature"),
        ("oauth1.json", "hmac-sha1-3", "signature"),
        ("oauth1.json", "rsa-sha1", "signature"),
        ("oauth1.json", "plaintext-token", "signature"),
        ("oauth1.json", "A.1a", "signature"),
        ("mac.json", "draft-00-bodyhash-ext", "normalized_string"),
        ("mac.json", "tent-post-hmac-sha-256", "mac"),
        ("mac.json", "draft-03-05-5.2", "input_string"),
    ],
)
def test_a_vector_that_expects_something_else_is_a_wrong_answer(name: str, identity: str, member: str) -> None:
    assert altered(name, identity, member).false_rejects


def test_a_misprint_that_were_called_right_is_a_wrong_answer() -> None:
    for name in PACKED:
        misprints = [vector for vector in HERE[name]["vectors"] if vector["verified"] is False]
        called_right = {"vectors": [{**vector, "verified": True} for vector in misprints]}
        assert len(outcome(PACKED[name](called_right)).false_rejects) >= len(misprints) > 0


@pytest.mark.vectors
@published
@pytest.mark.parametrize("name", [name for name in READERS if not name.startswith("wycheproof/")])
def test_every_published_vector_is_a_case_or_skipped_with_its_reason(name: str) -> None:
    document = json.loads((FOLDER / name).read_bytes())
    cases = list(READERS[name](document))
    assert not caseless(document["vectors"], cases)
    assert all(case.why for case in cases if case.expected is Expected.SKIP)


@pytest.mark.vectors
@published
@pytest.mark.parametrize("name", READERS)
def test_no_binding_vector_is_answered_wrongly(name: str) -> None:
    outcome = run(FOLDER, name)
    assert outcome.binding
    assert (outcome.false_accepts, outcome.false_rejects) == ((), ())


@pytest.mark.vectors
@published
@pytest.mark.parametrize(
    ("name", "binding"),
    [
        ("wycheproof/json_web_signature_test.json", 393),
        ("wycheproof/json_web_key_test.json", 26),
        ("wycheproof/json_web_crypto_test.json", 49),
        ("wycheproof/primitives/hmac_sha1_test.json", 170),
        (SUITE, 283),
    ],
)
def test_as_many_vectors_are_binding_as_their_readme_says(name: str, binding: int) -> None:
    assert run(FOLDER, name).binding == binding


@pytest.mark.vectors
@published
def test_every_published_file_is_read_or_named_with_its_reason() -> None:
    present = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.json")}
    assert present == {*READERS, *NOT_YET, *NOT_OURS}


def suite(folder: Path, **sentences: tuple[bytes, str]) -> list[str]:
    """A folder that holds a JSON suite of these texts and expected answers; gives the arguments to run it."""
    vectors = [
        {"id": name, "inputs": {"base64": b64encode(text).decode()}, "expected": {"json": sentence}}
        for name, (text, sentence) in sentences.items()
    ]
    (folder / SUITE).write_text(json.dumps({"vectors": vectors}))
    return [str(folder)]


def test_a_run_without_a_wrong_answer_succeeds(tmp_path: Path) -> None:
    assert main(suite(tmp_path, y_object=(b"{}", "accept"), n_comma=(b"{,}", "reject"))) == 0


@pytest.mark.parametrize(
    ("text", "expected", "line"),
    [(b"{}", "reject", f"FALSE ACCEPT  {SUITE}: x"), (b"{,}", "accept", f"FALSE REJECT  {SUITE}: x")],
    ids=["accept", "reject"],
)
def test_one_wrong_answer_fails_the_run_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes, expected: str, line: str
) -> None:
    assert main(suite(tmp_path, y_good=(b"[]", "accept"), x=(text, expected))) == 1
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("text", [b"{}", b"{,}"], ids=["accepted", "refused"])
def test_an_answer_that_may_be_either_is_never_wrong(tmp_path: Path, text: bytes) -> None:
    assert main(suite(tmp_path, y_good=(b"[]", "accept"), i_any=(text, "either"))) == 0


def test_a_run_with_nothing_binding_fails(tmp_path: Path) -> None:
    assert main(suite(tmp_path, i_any=(b"{}", "either"))) == 1


def test_an_empty_folder_fails(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 1


@pytest.mark.parametrize("arguments", [[], ["no such folder"], [".", "."]], ids=["none", "absent", "two"])
def test_anything_but_one_folder_is_refused_with_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().out.startswith("usage: ")


def test_files_that_were_not_run_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = suite(tmp_path, y_good=(b"[]", "accept"))
    for name in ("rfc9449_dpop.json", "news.json"):
        (tmp_path / name).write_text("{}")
    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert {"not yet       rfc9449_dpop.json: DPoP", "NO READER     news.json"} <= set(lines)
    assert {f"MISSING       {name}" for name in READERS if name != SUITE} <= set(lines)
