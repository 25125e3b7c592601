import json
import signal
import subprocess
import sys

import httpx2
import pytest

SCRIPT = """
from oauth_rs.devserver import DevServer, serve
serve(DevServer(audience="urn:api", algorithm="ES256", host=%r))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("host", "warnings"), [("127.0.0.1", 1), ("0.0.0.0", 2)])  # noqa: S104 - what is warned about
def test_it_warns_and_answers_until_a_signal(number: signal.Signals, host: str, warnings: int) -> None:
    command = [sys.executable, "-c", SCRIPT % host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        issuer = json.loads(process.stdout.readline())["issuer"]
        assert httpx2.get(f"{issuer}/jwks", trust_env=False).status_code == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "")
    assert errors.startswith("WARNING: oauth_rs devserver. Development only, not for production")
    assert errors.count("WARNING") == warnings
