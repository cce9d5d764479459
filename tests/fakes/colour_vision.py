"""How different two colours look, to most people and to those who are red-blind or green-blind."""

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A Physiologically-based Model for Simulation
# of Color Vision Deficiency", 2009, table 1, severity 1.0: of linear RGB.
VIEWS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
# B. Ottosson, "A perceptual color space for image processing", 2020.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(colour):
    """Return the linear RGB of a colour such as #0072B2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in parts]


def _seen(colour, view):
    light = [min(1, max(0, each)) for each in _times(VIEWS[view], linear(colour))]
    return _times(_OKLAB, [each ** (1 / 3) for each in _times(_CONES, light)])


def distance(one, other, view):
    """Return how far apart two colours are: 2 is just seen, 100 is black and white."""
    pairs = zip(_seen(one, view), _seen(other, view), strict=True)
    return 100 * sum((a - b) ** 2 for a, b in pairs) ** 0.5


def contrast(one, other):
    """Return the contrast of WCAG 2."""
    lights = sorted(sum(_times([(0.2126, 0.7152, 0.0722)], linear(it))) for it in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)
