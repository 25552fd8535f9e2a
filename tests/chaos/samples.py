# SPDX-License-Identifier: Apache-2.0
"""What became of a request, as the client saw it."""
import enum
from typing import NamedTuple

# Answers of a server that works, though not what the client hoped for.
ANSWERING_CODES = {'CONFLICT', 'TOOMANYSIBLINGS'}
# Nothing was written; of every other error the outcome is open.
REFUSING_CODES = {'NOQUORUM', 'LOADING', 'CLUSTERDOWN', 'MISCONF', 'OOM', 'NOAUTH', 'DENIED'}


class State(enum.IntEnum):
    ANSWERED = 0
    CONFLICT = 1  # an answer too
    REFUSED = 2  # an error; certainly without effect
    UNCERTAIN = 3  # an error; may have had its effect, or have it later


class Outcome(NamedTuple):
    state: State
    reply: object = None


class Sample(NamedTuple):
    """One request; times in seconds of the monotonic clock, which all processes share."""

    client: str
    began: float
    ended: float
    state: State
    words: tuple = ('GET', 'key')  # command and key
    node: int = 0  # that was asked
    detail: str = ''  # of an error, else of the answer


def is_error(sample):
    return sample.state in (State.REFUSED, State.UNCERTAIN)


def sends_elsewhere(detail):
    """The error of a node that is no member: it says that others are."""
    return code_of(detail) == 'CLUSTERDOWN'


def code_of(error):
    """The first word of an error's text; memcached's are in small letters."""
    return error.split(' ')[0].upper()


def state_of(error):
    code = code_of(error)
    if code in ANSWERING_CODES:
        return State.CONFLICT
    return State.REFUSED if code in REFUSING_CODES else State.UNCERTAIN
