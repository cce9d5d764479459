"""What a drill shows: its findings. It is well if there is none."""

from collections.abc import Iterator

from exporter.commands.drill.course import Course, DrillPhase
from exporter.commands.drill.shell_command import CommandResult
from exporter.model.verdicts import Mode


def findings(
    course: Course,
    *,
    mode: Mode,
    grace: float,
    ended: float,
    command: CommandResult | None,
    interrupted: bool,
) -> Iterator[str]:
    """
    Yield what was not as it should be, each a sentence.

    Args:
        course: What was seen. The drill had begun.
        mode: The mode of the service at the end.
        grace: Seconds after a change in which old answers are forgiven.
        ended: When the drill ended, on the monotonic clock.
        command: How the command ended; None without one.
        interrupted: Whether somebody ended the drill.
    """
    if command is not None:
        yield from _of_command(command)
    if not course.happened:
        how = "before it was interrupted" if interrupted else "while the drill waited"
        yield (
            f"Nothing happened {how}: who should serve and who does stayed the same. "
            "A drill shows the clients of the cluster that it runs in: that cluster has to go away."
        )
        return
    for phase in course.phases[1:]:
        yield from _of_phase(phase, grace, ended)
    yield from _of_moves(course)
    if not course.is_home(mode):
        yield from _of_end(course, mode, interrupted=interrupted)


def _of_moves(course: Course) -> Iterator[str]:
    if not course.taken_over:
        brief = [each.served for each in course.away if each.served in each.right]
        enough = f"{course.confirm} probes in a row confirm it"
        yield f"{brief[0]} served too briefly: {enough}." if brief else "Nobody took over."
    for move in course.moves:
        if move.failover.to_cluster not in move.right:
            right = " or ".join(sorted(move.right)) or "nobody"
            yield f"Clients moved to {move.failover.to_cluster}, and {right} should have served."
    for each in course.relapses:
        yield (
            f"{each.cluster} did not serve for {each.seconds:.1f} s, and nobody took over: the "
            "clusterset did not know that it was away, or it came back first."
        )


def _of_command(command: CommandResult) -> Iterator[str]:
    if command.exit_code is None:
        yield f"The command was stopped after {command.seconds:.1f} s, before its end."
    elif command.exit_code < 0:
        yield f"The command was ended by signal {-command.exit_code}."
    elif command.exit_code > 0:
        yield f"The command failed with exit code {command.exit_code}."


def _of_phase(phase: DrillPhase, grace: float, ended: float) -> Iterator[str]:
    lasted = (ended if phase.ended is None else phase.ended) - phase.at
    # A change goes through short states on its way, which no name server may ever see.
    if lasted <= grace:
        return
    if not phase.right:
        yield f"For {lasted:.1f} s no cluster could serve: none was ready and connected."
    elif phase.served not in phase.right:
        right = " or ".join(sorted(phase.right))
        served = "nobody" if phase.served is None else phase.served
        yield f"{right} should have served for {lasted:.1f} s, and {served} did at its end."


def _of_end(course: Course, mode: Mode, *, interrupted: bool) -> Iterator[str]:
    home = course.home
    if home is None:
        return
    newest, expected = course.phases[-1], " or ".join(sorted(home.expected))
    when = "When the drill was interrupted" if interrupted else "At the end"
    if newest.right != home.expected:
        yield f"{when} {expected} was not back: it should not serve yet."
    elif newest.served not in newest.right:
        yield f"{when} {newest.served or 'nobody'} served, and {expected} should have."
    elif mode is not home.mode:
        yield f"{when} the mode was {mode}, and {home.mode} before."
