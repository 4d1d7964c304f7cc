"""A sum over the hours: no hour is proof, but the hours together are."""

import numpy as np

from monitor.rises.baseline import DAY, Bools, Expected, Floats

# The rise that it looks for, over the mean: one more author an hour, but at least half as many
# again (between the least effect and a doubling), and not more than eightfold.
LEAST_MORE, MOST_MORE = 0.5, 7.0
FORGETTING = 0.5 ** (1 / DAY)  # an hour: the sum halves in a day, so that it cannot go stale
MOST_SUMMED = 1.5  # times what is needed: the sum keeps no more, so that it comes down again


class Cusum:
    """One CUSUM of n series: the sum, and the run of hours since it was nothing."""

    def __init__(self, n: int, needed: float) -> None:
        self.needed = needed
        self.value, self.hours, self.observed, self.expected = np.zeros((4, n), np.float32)

    def add(self, y: Floats, mean: Floats, size: Floats, expected: Expected, known: Bools) -> None:
        """Weigh an hour: the log-likelihood ratio of a rise (Höhle and Paul 2008).

        It is a weighed residual, in units in which the chance of a sum above s is at most exp(-s)
        whatever the mean is; the mean is held to be a standard error more than estimated. One hour
        adds at most half of what is needed: a single loud hour is for the other detector.
        """
        mean = mean * (1 + expected.doubt)
        rise = np.clip(1 / mean, LEAST_MORE, MOST_MORE)
        more = np.log1p(rise * mean / (size + mean))
        weight = (y * (np.log1p(rise) - more) - size * more) * expected.calm
        weight = np.where(known, np.minimum(weight, self.needed / 2), 0)
        self.value = np.clip(self.value * FORGETTING + weight, 0, MOST_SUMMED * self.needed)
        going = self.value > 0
        self.hours = np.where(going, self.hours + 1, 0)
        self.observed = np.where(going, self.observed + y, 0)
        self.expected = np.where(going, self.expected + mean, 0)
