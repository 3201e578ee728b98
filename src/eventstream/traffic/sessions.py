"""One visit to the shop: who comes, what they look at, whether they buy."""

from __future__ import annotations

import math
import random
from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import NormalDist
from typing import Any
from urllib.parse import urlencode

from eventstream.traffic.catalog import (
    CONTENT_PAGES,
    DEVICES,
    ERRORS,
    EXCEPTIONS,
    LATENCY_MS,
    ORIGINS,
    PRODUCTS,
    SEARCH_WORDS,
    SITE,
    Device,
    Origin,
    Product,
)

_NORMAL = NormalDist()
_GOLDEN = 0.618033988749895


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a visit, before it has an id and an absolute time."""

    offset_ms: int
    event_type: str
    body: dict[str, Any]


class Chance:
    """Chance whose shares hold in every stretch of time, not only in the long run.

    An hour of a small shop sees few purchases, and pure chance would make some hours look like
    anomalies. So shares are carried over (three visits at 1/3 make one hit) and latencies walk
    their distribution evenly; which visit is hit, and when, still follows the generator.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.slowness = 1.0
        """Factor on every latency: some hours are slower than others."""
        self._carried: dict[str, float] = {}

    def hit(self, name: str, share: float) -> bool:
        """Say yes to ``share`` of the calls under this name."""
        carried = self._carried.get(name, self.rng.random()) + share
        self._carried[name] = carried % 1.0
        return carried >= 1.0

    def latency_ms(self, event_type: str) -> float:
        """Return a log-normal latency of this type, in milliseconds."""
        median, sigma = LATENCY_MS[event_type]
        place = (self._carried.get(event_type, self.rng.random()) + _GOLDEN) % 1.0
        self._carried[event_type] = place
        z = _NORMAL.inv_cdf(min(max(place, 0.01), 0.96))
        return round(median * self.slowness * math.exp(sigma * z), 1)


@dataclass(frozen=True, slots=True)
class _Weighted:
    """Draws from a fixed list by weight."""

    totals: tuple[int, ...]

    def pick(self, rng: random.Random) -> int:
        """Return the place of what was drawn."""
        return bisect(self.totals, rng.random() * self.totals[-1])


def _weighted(weights: list[int]) -> _Weighted:
    return _Weighted(tuple(accumulate(weights)))


_PAGES = _weighted([weight for _, _, weight in CONTENT_PAGES])
_ORIGINS = _weighted([origin.weight for origin in ORIGINS])
_DEVICES = _weighted([device.weight for device in DEVICES])


@dataclass
class Visit:
    """A visit in the making."""

    chance: Chance
    origin: Origin
    device: Device
    at_ms: int = 0
    referrer: str | None = None
    steps: list[Step] = field(default_factory=list)
    cart: list[Product] = field(default_factory=list)

    def see(self, event_type: str, path: str, title: str, **properties: object) -> None:
        """Add an event on a page; the page seen before becomes its referrer."""
        url = SITE + path
        if self.origin.campaign and not self.steps:
            # A campaign is named in the address that its visitors land on, and only there.
            url += "?" + urlencode({f"utm_{key}": value for key, value in self.origin.campaign})
        page = {"path": path, "url": url, "title": title}
        if self.referrer:
            page["referrer"] = self.referrer
        context: dict[str, Any] = {
            "page": page,
            "userAgent": self.device.user_agent,
            "locale": self.device.locale,
        }
        body: dict[str, Any] = {"context": context}
        if event_type in LATENCY_MS:
            body["latency_ms"] = self.chance.latency_ms(event_type)
        if properties:
            body["properties"] = properties
        self.steps.append(Step(self.at_ms, event_type, body))
        self.referrer = SITE + path
        self.at_ms += int(self.chance.rng.expovariate(1 / 25_000)) + 700


def make_visit(chance: Chance) -> tuple[list[Step], bool]:
    """Return the events of one visit and whether the visitor signed in.

    About half look at a product, an eighth fill a cart, a twentieth buy; who buys signs in.
    """
    rng = chance.rng
    origin, device = ORIGINS[_ORIGINS.pick(rng)], DEVICES[_DEVICES.pick(rng)]
    visit = Visit(chance, origin, device, referrer=origin.referrer)
    _browse(visit)
    if chance.hit("search", 0.35):
        word = rng.choice(SEARCH_WORDS)
        results = rng.randrange(40)
        visit.see("search", "/search", "Search", query=word, results=results)
    bought = False
    if chance.hit("product", 0.62):
        bought = _shop(visit)
    if chance.hit("error", 0.09):
        code, message = rng.choice(ERRORS)
        visit.see("error", "/checkout" if visit.cart else "/", "", code=code, message=message)
    if chance.hit("exception", 0.04):
        name, message = rng.choice(EXCEPTIONS)
        visit.see("exception", "/app.js", "", name=name, message=message)
    return visit.steps, bought or chance.hit("signed in", 0.55)


def _browse(visit: Visit) -> None:
    rng = visit.chance.rng
    for _ in range(1 + min(int(rng.expovariate(0.7)), 6)):
        path, title, _ = CONTENT_PAGES[_PAGES.pick(rng)]
        visit.see("page_view", path, title)


def _shop(visit: Visit) -> bool:
    chance, rng = visit.chance, visit.chance.rng
    for _ in range(1 + min(int(rng.expovariate(1.0)), 4)):
        product = rng.choice(PRODUCTS)
        about = _about(product)
        visit.see("product_view", f"/product/{product.sku}", product.name, **about)
        if chance.hit("add", 0.18):
            visit.cart.append(product)
            quantity = 1 + chance.hit("two", 0.2)
            about["quantity"] = quantity
            visit.see("add_to_cart", f"/product/{product.sku}", product.name, **about)
    if not visit.cart or not chance.hit("checkout", 0.6):
        return False
    total = round(sum(product.price for product in visit.cart), 2)
    visit.see("checkout", "/checkout", "Checkout", total=total, items=len(visit.cart))
    if not chance.hit("pay", 0.8):
        return False
    order = f"O-{rng.getrandbits(36):09x}"
    items = [{"sku": product.sku, "price": product.price} for product in visit.cart]
    visit.see("purchase", "/order", "Thank you", order=order, total=total, items=items)
    return True


def _about(product: Product) -> dict[str, object]:
    return {"sku": product.sku, "category": product.category, "price": product.price}
