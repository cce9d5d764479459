"""Coroutines run by hand, turn by turn of an event loop."""


def whole(coroutine):
    """Run *coroutine*, which waits for nothing but its next turn, and return its result."""
    turns = each_turn(coroutine)
    while True:
        try:
            next(turns)
        except StopIteration as end:
            return end.value


def each_turn(coroutine):
    """Yield at each point where other work may run; return the result."""
    while True:
        try:
            assert coroutine.send(None) is None
        except StopIteration as end:
            return end.value
        yield
