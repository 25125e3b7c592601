from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest
import trustme
from hypothesis import HealthCheck, settings

from oauth_rs.flow import Certificate
from tests.support.issuing import Issuer
from tests.support.serving import ScriptedServer, serving
from tests.support.trusting import certificate_of

Written = Callable[[str, str | bytes], Path]

# No example fails for being slow, and the same tests have the same examples in each run: what a run finds follows from
# what was changed. `--hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", default="1/1", help="which of how many parts of the files to run, as 1/2")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """True for a file of another part. Which part a file is in follows from its path alone."""
    part, parts = map(int, config.getoption("--part").split("/"))
    if collection_path.suffix != ".py" or parts == 1:
        return None
    name = collection_path.relative_to(config.rootpath).as_posix()
    return True if crc32(name.encode()) % parts != part - 1 else None


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file of this name and content, and gives its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def web() -> Iterator[ScriptedServer]:
    """An HTTP server that answers as the test tells it."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The certificate of a client, in files that no test changes: chain.pem and key.pem."""
    return certificate_of(trustme.CA(), tmp_path_factory.mktemp("certificate"))
