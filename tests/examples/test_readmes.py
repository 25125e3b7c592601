"""What the READMEs of the examples say is printed is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.serving import on_uvicorn
from examples.starlette_app.app import create_app
from oauth_rs.devserver import DevServer
from tests.examples.conftest import API, PATIENCE, ROOT

README = (ROOT / "examples/starlette_app/README.md").read_text()


@pytest.mark.parametrize("section", ["Customers by role", "Patients and observations"])
def test_each_line_prints_what_stands_beside_it(server: DevServer, section: str, tmp_path: Path) -> None:
    text = README.partition(f"## {section}\n")[2].partition("\n## ")[0]
    (script,) = re.findall(r"^python - <<'END'\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    told = [comment.partition(",")[0] for comment in re.findall(r"^print\(.*  # (.*)$", script, re.MULTILINE)]
    with on_uvicorn(lambda _host: create_app(server.issuer, API)) as url:
        here = script.replace("http://127.0.0.1:9000", server.issuer).replace("http://127.0.0.1:8000", url)
        command = [sys.executable, "-c", here]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout.splitlines() == told, done.stderr
    assert len(told) > 5
