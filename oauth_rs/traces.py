"""What may be logged of an exception that was not foreseen: its class and where it was raised, never what it says.

What the code of an application raises may hold what it was called with, as that of SQLAlchemy shows the parameters of
its statement, among them a refresh token. Out of a thread it would go to `threading.excepthook` with all its text.
"""

MAX_FRAMES = 20  # of those nearest to where it was raised: an ORM adds a dozen of its own


def trace_of(error: BaseException) -> str:
    """The class of `error`, and file:line of the frames that led to it, the innermost last."""
    frames, step = list[str](), error.__traceback__
    while step is not None:
        frames.append(f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}")
        step = step.tb_next
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__} at {' > '.join(frames[-MAX_FRAMES:])}"
