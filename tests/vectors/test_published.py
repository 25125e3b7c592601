import json
from base64 import b64encode
from pathlib import Path

import pytest

from tests.vectors.published import NOT_OURS, NOT_YET, READERS, main, run

FOLDER = Path(__file__).parents[3] / "shared" / "vectors"
SUITE = "json_parsing_suite.json"

published = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"NO PUBLISHED VECTORS WERE RUN: there is no folder {FOLDER}"
)


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
    for name in ("rfc5849.json", "news.json"):
        (tmp_path / name).write_text("{}")
    main(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert {"not yet       rfc5849.json: OAuth 1.0a", "NO READER     news.json"} <= set(lines)
    assert {f"MISSING       {name}" for name in READERS if name != SUITE} <= set(lines)
