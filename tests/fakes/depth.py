"""How many examples Hypothesis tries where a test asks for more or fewer than usual."""

from hypothesis import settings

USUAL = 100
"""What Hypothesis tries where nothing else is said."""


def examples(number: int) -> int:
    """Return *number*, made smaller in the proportion in which the profile in use is smaller."""
    return max(1, number * settings.default.max_examples // USUAL)
