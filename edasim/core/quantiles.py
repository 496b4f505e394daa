"""Quantiles that have no closed form, vectorised: the normal one (to 1e-15 relative) and the gamma one
(1e-11).

Sources: M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics
37 (1988), routine PPND16; for the incomplete gamma function the series and the continued fraction in NIST's
Digital Library of Mathematical Functions, 8.11.4 and 8.9.2.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Numerator and denominator of each range of AS 241, lowest power first.
_CENTRE: Final = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
_SHOULDER: Final = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
_TAIL: Final = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)
Z99: Final = 2.3263478740408411009
"""The 99% point of the standard normal distribution."""


def normal_quantile(uniform: Floats) -> Floats:
    """The standard normal deviate below which a share `uniform` (inside 0..1) lies."""
    result = uniform - 0.5
    inner = np.abs(result) <= 0.425
    centred = result[inner]
    result[inner] = centred * _ratio(_CENTRE, 0.180625 - centred**2)
    rest = ~inner
    outer = uniform[rest]
    if outer.size:
        root = np.sqrt(-np.log(np.minimum(outer, 1.0 - outer)))
        size = _ratio(_SHOULDER, root - 1.6)
        far = root > 5.0
        if far.any():
            size[far] = _ratio(_TAIL, root[far] - 5.0)
        result[rest] = np.copysign(size, outer - 0.5)
    return result


def gamma_quantile(uniforms: Floats, shape: float) -> Floats:
    """The gamma deviate of scale 1 below which a share of `uniforms` (inside 0..1) lies.

    Halley's steps on the incomplete gamma function, in the logarithm of the deviate so that small shapes
    converge, each kept inside a bracket that shrinks; a step that would leave it halves the bracket instead.
    """
    shaped, uniform = uniforms.shape, uniforms.ravel()
    low = np.full_like(uniform, math.log(1e-300))
    high = np.full_like(uniform, math.log(shape + 40.0 * math.sqrt(shape) + 800.0))
    point = np.clip(_first_guess(uniform, shape), low, high)
    open_ones = np.arange(uniform.size)
    for _ in range(200):
        error, step = _step(point[open_ones], uniform[open_ones], shape)
        here = point[open_ones]
        high[open_ones] = np.where(error > 0.0, here, high[open_ones])
        low[open_ones] = np.where(error < 0.0, here, low[open_ones])
        moved = here - step
        inside = (moved >= low[open_ones]) & (moved <= high[open_ones])
        middle = 0.5 * (low[open_ones] + high[open_ones])
        settled = (np.abs(step) <= 1e-13 * np.maximum(1.0, np.abs(here))) | (error == 0.0)
        point[open_ones] = np.where(inside | settled, moved, middle)
        open_ones = open_ones[~settled & (np.abs(point[open_ones] - here) > 0.0)]
        if not open_ones.size:
            break
    return np.exp(point).reshape(shaped)


def _step(point: Floats, uniform: Floats, shape: float) -> tuple[Floats, Floats]:
    """How far too high the share at a logarithm is, and Halley's step down from it."""
    deviate = np.exp(point)
    below, above = _incomplete_gamma(deviate, shape)
    error = np.where(uniform < 0.5, below - uniform, (1.0 - uniform) - above)
    slope = np.exp(shape * point - deviate - math.lgamma(shape))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        newton = np.where(slope > 0.0, error / slope, np.copysign(np.inf, error))
        bend = np.clip(1.0 - 0.5 * newton * (shape - deviate), 0.5, 2.0)
        return error, np.where(error == 0.0, 0.0, newton / bend)


def _first_guess(uniform: Floats, shape: float) -> Floats:
    """The logarithm of Wilson and Hilferty's guess, or of the power law that rules near zero."""
    cube = 1.0 - 1.0 / (9.0 * shape) + normal_quantile(uniform) / (3.0 * math.sqrt(shape))
    near_zero = (np.log(uniform) + math.lgamma(shape + 1.0)) / shape
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = math.log(shape) + 3.0 * np.log(cube)
    return np.where(cube > 0.1, usual, np.minimum(near_zero, math.log(shape + 1.0)))


def _incomplete_gamma(deviate: Floats, shape: float) -> tuple[Floats, Floats]:
    """The shares (below, above) a gamma deviate of scale 1, each computed where it is small and so exact."""
    below = np.zeros_like(deviate)
    small = deviate < shape + 1.0
    density = np.exp(shape * np.log(deviate) - deviate - math.lgamma(shape))
    below[small] = density[small] * _series(deviate[small], shape)
    above = 1.0 - below
    above[~small] = density[~small] * _fraction(deviate[~small], shape)
    below[~small] = 1.0 - above[~small]
    return below, above


def _series(deviate: Floats, shape: float) -> Floats:
    term = np.full_like(deviate, 1.0 / shape)
    total = term.copy()
    divisor = shape
    for _ in range(10_000):
        divisor += 1.0
        term = term * (deviate / divisor)
        total += term
        if not np.any(term > total * 1e-16):
            break
    return total


def _fraction(deviate: Floats, shape: float) -> Floats:
    """The continued fraction by Lentz's method as Thompson and Barnett changed it."""
    floor = 1e-300
    lead = deviate + 1.0 - shape
    upper = np.full_like(deviate, 1.0 / floor)
    lower = 1.0 / lead
    value = lower.copy()
    for step in range(1, 10_000):
        weight = -step * (step - shape)
        lead = lead + 2.0
        lower = weight * lower + lead
        lower = 1.0 / np.where(np.abs(lower) < floor, floor, lower)
        upper = lead + weight / upper
        upper = np.where(np.abs(upper) < floor, floor, upper)
        change = lower * upper
        value *= change
        if not np.any(np.abs(change - 1.0) > 4e-16):
            break
    return value


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], point: Floats) -> Floats:
    numerator, denominator = coefficients
    return _polynomial(numerator, point) / _polynomial(denominator, point)


def _polynomial(coefficients: tuple[float, ...], point: Floats) -> Floats:
    total = np.full_like(point, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total *= point
        total += coefficient
    return total
