"""The states and events of a failover: the whole machine as a table."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """Where one service stands."""

    UNSEEN = "unseen"
    """No cluster has served yet."""
    STEADY = "steady"
    """One cluster serves, or was the last to serve."""
    MOVING = "moving"
    """Another cluster has replied, and not often enough."""


class Event(StrEnum):
    """What a probe or a change of the inventory means for the machine."""

    SAME = "same"
    """The serving cluster replied, or one that takes turns with it."""
    OTHER = "other"
    """Another cluster replied, and not often enough."""
    ENOUGH = "enough"
    """Another cluster replied, and often enough; or the inventory explained earlier replies."""
    FAILED = "failed"
    """Nobody replied, and the answer did not name the other cluster."""
    LOST = "lost"
    """Nobody replied: no answer came, or the answer named the other cluster."""
    TURNS = "turns"
    """The inventory says that both clusters are right: they take turns."""
    GAP = "gap"
    """Nobody looked for long."""


class Action(StrEnum):
    """What the machine does on the way to the next state: the name of a method."""

    ADOPT = "adopt"
    KEEP = "keep"
    COUNT = "count"
    MOVE = "move"
    FAIL = "fail"
    FAIL_ANEW = "fail_anew"
    JOIN = "join"
    FORGET = "forget"


TRANSITIONS: Mapping[tuple[State, Event], tuple[Action, State]] = {
    (State.UNSEEN, Event.OTHER): (Action.ADOPT, State.STEADY),
    (State.UNSEEN, Event.ENOUGH): (Action.ADOPT, State.STEADY),
    (State.UNSEEN, Event.FAILED): (Action.FAIL, State.UNSEEN),
    (State.UNSEEN, Event.LOST): (Action.FAIL, State.UNSEEN),
    (State.UNSEEN, Event.GAP): (Action.FORGET, State.UNSEEN),
    (State.STEADY, Event.SAME): (Action.KEEP, State.STEADY),
    (State.STEADY, Event.OTHER): (Action.COUNT, State.MOVING),
    (State.STEADY, Event.ENOUGH): (Action.MOVE, State.STEADY),
    (State.STEADY, Event.FAILED): (Action.FAIL, State.STEADY),
    (State.STEADY, Event.LOST): (Action.FAIL, State.STEADY),
    (State.STEADY, Event.GAP): (Action.FORGET, State.STEADY),
    (State.MOVING, Event.SAME): (Action.KEEP, State.STEADY),
    (State.MOVING, Event.OTHER): (Action.COUNT, State.MOVING),
    (State.MOVING, Event.ENOUGH): (Action.MOVE, State.STEADY),
    (State.MOVING, Event.FAILED): (Action.FAIL_ANEW, State.STEADY),
    (State.MOVING, Event.LOST): (Action.FAIL, State.MOVING),
    (State.MOVING, Event.TURNS): (Action.JOIN, State.STEADY),
    (State.MOVING, Event.GAP): (Action.FORGET, State.STEADY),
}
