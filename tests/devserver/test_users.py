import pytest

from oauth_rs.devserver.users import User, Users


def test_a_user_needs_a_subject() -> None:
    with pytest.raises(ValueError, match="needs a subject"):
        User("")


def test_two_users_with_one_subject_are_refused() -> None:
    with pytest.raises(ValueError, match="same subject"):
        Users([User("ada"), User("ada", name="Ada")])


def test_a_user_is_found_by_subject_alone() -> None:
    users = Users([User("1815", name="Ada", preferred_username="ada")])
    assert users.find("1815").name == "Ada"
    assert users.find("ada").name == "ada"


def test_what_is_left_out_is_made_of_the_subject() -> None:
    assert User("ada") == User("ada", name="ada", email="ada@example.com", preferred_username="ada")
    assert User("ada", name="Ada").email == "ada@example.com"


def test_a_number_is_of_the_subject_alone() -> None:
    assert User("ada").number == User("ada", name="Ada").number != User("bob").number
    assert 0 <= User("\udc80").number < 2**32
