"""A goals API on Flask and SQLAlchemy: callers read with the scope `goals`, write with `goals.write`, and reach only
their own goals. What each operation asks for stands in access.toml, and again with the views where that reads well:
both hold. Run it with `python examples/flask_app/app.py`; README.md has the requests to try.
"""

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, abort, current_app, json, request, url_for
from sqlalchemy import URL, ForeignKey, NullPool, UniqueConstraint, create_engine, delete, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.schema import CreateTable
from werkzeug.exceptions import HTTPException

from oauth_rs import (
    MAC,
    BasicAuth,
    Bearer,
    ClientKey,
    ClientRegistry,
    Credentials,
    DirectURL,
    ExternalURL,
    Grant,
    IdentityHeaders,
    JWTProvider,
    OAuth1,
    RemoteKeys,
    ReplayStore,
    ResourceServer,
    Scheme,
)
from oauth_rs.configuration import read_catalogue
from oauth_rs.flask import current_grant, protect, requires
from oauth_rs.policy_files import read_policy
from oauth_rs.stores.sql import SQLCredentials
from oauth_rs.stores.sqlite import SQLiteReplay

LOCK_TIMEOUT = 30  # seconds that a write waits for those before it: SQLite lets one write at a time
BODY_LIMIT = 4096  # bytes: a goal is one short JSON object
# Not blank, no control characters, and no half of a surrogate pair: JSON can spell one, a database cannot store it.
TITLE = re.compile(r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
ACCESS = Path(__file__).with_name("access.toml")
KEY_ROLES = {"backup": {"goals"}}  # what a client may do without a token, by its role in the registry
ONE_GOAL = "/<int(max=9223372036854775807):number>"  # SQLite knows no larger integer

goals = Blueprint("goals", __name__, url_prefix="/goals")


class Base(DeclarativeBase):
    pass


class User(Base):
    """A caller: a person, or a client that acts for nobody. Two issuers may use the same subject for different people:
    only the pair names one.
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)
    number: Mapped[int] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]


class Goal(Base):
    __tablename__ = "goals"
    number: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[int] = mapped_column(ForeignKey(User.number), index=True)
    title: Mapped[str]
    done: Mapped[bool] = mapped_column(default=False)

    def as_json(self) -> dict[str, Any]:
        return {"number": self.number, "title": self.title, "done": self.done}


def create_app(
    issuer: str,
    audience: str,
    database: str | Path,
    *,
    keys: RemoteKeys | None = None,
    partner: str = "",
    clients: ClientRegistry | None = None,
    credentials: Credentials | None = None,
    replay: ReplayStore | None = None,
    url: ExternalURL | None = None,
) -> Flask:
    """The application, for tokens of `issuer` made out to `audience`, on the SQLite file `database`.

    `keys` replaces the key set that the issuer's metadata names, or how long it is believed. `partner` is another
    issuer, whose tokens are good for reading. `clients` may call for themselves, with id and secret. With `credentials`
    of the same issuer requests to `url` may be signed instead, each good once: `replay` knows which were used.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    # No pool: a file opens in no time, and a worker process that is forked later inherits no connection.
    engine = create_engine(
        URL.create("sqlite", database=str(database)), poolclass=NullPool, connect_args={"timeout": LOCK_TIMEOUT}
    )
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:  # `create_all` looks first: two workers that start at once collide
            connection.execute(CreateTable(table, if_not_exists=True))
    sessions = app.extensions["sessions"] = sessionmaker(engine, expire_on_commit=False)
    app.register_error_handler(HTTPException, as_json)
    app.register_blueprint(goals)
    app.add_url_rule("/whoami", view_func=whoami)
    provider = JWTProvider(issuer, audience=audience, keys=keys)
    partners = [JWTProvider(partner, audience=audience, scopes={"goals"})] if partner else []
    schemes: list[Scheme] = [Bearer(provider, *partners, realm="goals")]
    if clients is not None:
        schemes.append(ClientKey(clients, presentation=[BasicAuth()], roles=KEY_ROLES, realm="goals"))
    if credentials is not None:
        schemes += [OAuth1(credentials, realm="goals"), MAC(credentials, tokens=provider, realm="goals")]
    server = ResourceServer(
        *schemes,
        policy=read_policy(ACCESS),
        scopes=read_catalogue(ACCESS),
        identity=IdentityHeaders(),
        user=lambda grant: user_of(grant, issuer, sessions),
        url=url,
        replay=replay,
    )
    protect(app, server)
    return app


def signing(file: str | Path, *hosts: str) -> dict[str, Any]:
    """Options of `create_app`: requests to `hosts` may be signed with what the development server keeps in `file`.

    Used nonces go to a file beside it, which all worker processes share.
    """
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    return {
        "credentials": SQLCredentials(engine, keys=[Path(f"{file}.key").read_bytes()]),
        "replay": SQLiteReplay(f"{file}.replay"),
        "url": DirectURL(hosts=hosts),
    }


@goals.get("")
@requires("goals")
def list_goals() -> dict[str, Any]:
    with caller() as (session, owner):
        found = session.scalars(select(Goal).where(Goal.owner == owner).order_by(Goal.number))
        return {"goals": [goal.as_json() for goal in found]}


@goals.post("")
@requires("goals.write")
def create_goal() -> tuple[dict[str, Any], int, dict[str, str]]:
    members = sent_members()
    if "title" not in members:
        abort(400, "A new goal needs a title.")
    with caller() as (session, owner):
        goal = Goal(owner=owner, **members)
        session.add(goal)
    return goal.as_json(), 201, {"Location": url_for("goals.read_goal", number=goal.number)}


@goals.delete("")
@requires("goals.write")
def forget_goals() -> tuple[str, int]:
    with caller() as (session, owner):
        session.execute(delete(Goal).where(Goal.owner == owner))
    return "", 204


@goals.get(ONE_GOAL)
@requires("goals")
def read_goal(number: int) -> dict[str, Any]:
    with caller() as (session, owner):
        goal = session.scalar(select(Goal).where(Goal.number == number, Goal.owner == owner))
    return own(goal).as_json()


@goals.patch(ONE_GOAL)
@requires("goals.write")
def update_goal(number: int) -> dict[str, Any]:
    members = sent_members()
    with caller() as (session, owner):
        change = update(Goal).where(Goal.number == number, Goal.owner == owner).values(members)
        goal = session.scalar(change.returning(Goal))
    return own(goal).as_json()


@goals.delete(ONE_GOAL)
@requires("goals.write")
def delete_goal(number: int) -> tuple[str, int]:
    with caller() as (session, owner):
        goal = session.scalar(delete(Goal).where(Goal.number == number, Goal.owner == owner).returning(Goal))
    own(goal)
    return "", 204


def whoami() -> dict[str, str]:
    """What an application behind a gateway is told about its caller."""
    return {name.lower(): value for name, value in request.headers if name.lower().startswith("oauth")}


def own(goal: Goal | None) -> Goal:
    """Somebody else's goal and one that does not exist look alike: the answer gives nothing away."""
    return goal or abort(404, "You have no such goal.")


@contextmanager
def caller() -> Iterator[tuple[Session, int]]:
    """A transaction, and the number of the caller's row."""
    with current_app.extensions["sessions"].begin() as session:
        yield session, current_grant.user


def user_of(grant: Grant, issuer: str, sessions: sessionmaker[Session]) -> int:
    """The number of the caller's row, made when this is their first request. `issuer` knows those who sign."""
    names = {"issuer": grant.issuer or issuer, "subject": grant.subject or grant.client_id}
    query = select(User.number).filter_by(**names)
    with sessions.begin() as session:
        number = session.scalar(query)
        if number is None:
            # Two first requests may both get here. The unique constraint lets one insert, and both then find its row.
            session.execute(insert(User).values(names).on_conflict_do_nothing())
            number = session.scalars(query).one()
        return number


def sent_members() -> dict[str, Any]:
    """`title`, `done` or both from the body, each of its type. Anything else is a 400 that says what to send."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # a thousand brackets within each other
        body = None
    if not isinstance(body, dict) or not body or not body.keys() <= {"title", "done"}:
        abort(400, 'Send a JSON object with "title", "done" or both, as application/json.')
    title = body.get("title", "-")
    if not isinstance(title, str) or not TITLE.fullmatch(title):
        abort(400, "A title is text of 1 to 200 characters, without control characters.")
    if not isinstance(body.get("done", False), bool):
        abort(400, "done is true or false.")
    return body


def as_json(error: HTTPException) -> Response:
    """Flask's own errors in the shape of oauth_rs's."""
    response = Response(status=error.code, headers=error.get_headers(), mimetype="application/json")
    response.data = json.dumps({"error": error.name, "error_description": error.description})
    return response


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issuer", default="http://127.0.0.1:9000", help="default: %(default)s")
    parser.add_argument("--audience", default="http://127.0.0.1:8000", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=5000, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--database", type=Path, default="goals.sqlite", help="default: %(default)s")
    parser.add_argument(
        "--credentials", type=Path, help="the development server's: requests to this (known) --port may be signed too"
    )
    options = parser.parse_args()
    hosts = f"127.0.0.1:{options.port}", f"localhost:{options.port}"
    signed = signing(options.credentials, *hosts) if options.credentials else {}
    create_app(options.issuer, options.audience, options.database, **signed).run(port=options.port)


if __name__ == "__main__":
    main()
