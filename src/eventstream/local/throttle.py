"""API Gateway's throttle: a token bucket. Pure: the clock is given."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class TokenBucket:
    """Lets through a steady rate and bursts above it.

    Source: "Throttle requests to your HTTP APIs" in the API Gateway developer guide.

    Attributes
    ----------
    rate
        Requests per second that tokens come back at.
    burst
        Requests that may come at once.
    now_s
        A clock that never goes back, in seconds.
    """

    rate: float
    burst: int
    now_s: Callable[[], float]
    _tokens: float = field(init=False)
    _counted_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = float(self.burst)
        self._counted_s = self.now_s()

    def take(self) -> bool:
        """Take a token; say whether there was one."""
        now_s = self.now_s()
        self._tokens = min(self.burst, self._tokens + (now_s - self._counted_s) * self.rate)
        self._counted_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
