"""The code in the README and the docs runs, and the applications in it are protected."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from starlette.testclient import TestClient

from oauth_rs.flow import Certificate

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(code, id=f"{file.name}-{number}")
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for number, code in enumerate(FENCE.findall(file.read_text()))
]


def run(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "docs"}
    exec(compile(code, "docs", "exec"), namespace)  # noqa: S102 - the project's own documents
    return namespace


@pytest.fixture(autouse=True)
def files(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate that the docs name is where they say: chain.pem and key.pem."""
    monkeypatch.chdir(Path(certificate.chain).parent)


@pytest.mark.parametrize("code", BLOCKS)
def test_code_in_the_docs_runs(code: str) -> None:
    run(code)


@pytest.mark.parametrize("code", [block for block in BLOCKS if "app = " in str(block.values[0])])
def test_applications_in_the_docs_are_protected(code: str) -> None:
    app = run(code)["app"]
    origin = "https://api.example.com"
    client: Any = app.test_client() if isinstance(app, Flask) else TestClient(app, base_url=origin)
    path = re.findall(r'(?:\.get|Route)\("([^"]+)"', code)[-1].replace("{number}", "1")
    reply = client.get(path, base_url=origin) if isinstance(app, Flask) else client.get(path)
    assert reply.status_code == 401
    assert "Bearer" in [value for name, value in reply.headers.items() if name.lower() == "www-authenticate"]


def test_every_file_the_readme_points_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert all((ROOT / link).is_dir() or (ROOT / link).stat().st_size for link in links)
