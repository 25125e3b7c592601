import pytest

from oauth_rs.replay import MemoryReplay
from tests.support.replay_contract import Driven, ReplayContract, blocking


class TestContract(ReplayContract):
    """The store of one process keeps what those of several keep; its own tests are in tests/test_replay.py."""

    @pytest.fixture
    def store(self) -> Driven:
        return blocking(MemoryReplay())
