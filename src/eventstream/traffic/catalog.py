"""The shop that generated traffic visits: pages, products, visitors' origins and devices."""

from __future__ import annotations

from dataclasses import dataclass

SITE = "https://shop.example.com"


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy."""

    sku: str
    name: str
    category: str
    price: float


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a visitor comes from."""

    referrer: str | None
    campaign: tuple[tuple[str, str], ...] = ()
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Device:
    """What a visitor browses with."""

    user_agent: str
    locale: str
    weight: int


PRODUCTS = tuple(
    Product(f"{code}-{adjective.upper()}", f"{adjective} {noun}", category, round(base * factor, 2))
    for code, noun, category, base in (
        ("MUG", "mug", "kitchen", 7.5),
        ("TEA", "teapot", "kitchen", 24.0),
        ("LMP", "lamp", "living", 39.0),
        ("CSH", "cushion", "living", 18.5),
        ("NTB", "notebook", "paper", 4.2),
        ("CRD", "card set", "paper", 3.1),
        ("BAG", "bag", "travel", 31.0),
        ("BTL", "bottle", "travel", 14.9),
    )
    for adjective, factor in (("red", 1.0), ("blue", 1.0), ("large", 1.6), ("gift", 1.25))
)

CONTENT_PAGES = (
    ("/", "Home", 8),
    ("/category/kitchen", "Kitchen", 4),
    ("/category/living", "Living", 3),
    ("/category/paper", "Paper", 2),
    ("/category/travel", "Travel", 2),
    ("/about", "About us", 1),
    ("/delivery", "Delivery and returns", 1),
)
"""Path, title and how often it is visited."""

SEARCH_WORDS = ("mug", "gift", "lamp", "blue", "teapot", "card", "christmas", "bottle")

ORIGINS = (
    Origin(None, weight=30),
    Origin("https://www.google.com/", weight=34),
    Origin("https://www.bing.com/", weight=6),
    Origin("https://www.pinterest.com/", weight=6),
    Origin(
        "https://www.google.com/",
        (
            ("source", "google"),
            ("medium", "cpc"),
            ("campaign", "autumn-gifts"),
            ("term", "gift mug"),
        ),
        weight=12,
    ),
    Origin(None, (("source", "newsletter"), ("medium", "email"), ("campaign", "weekly")), weight=9),
    Origin(
        "https://www.instagram.com/",
        (
            ("source", "instagram"),
            ("medium", "social"),
            ("campaign", "new-in"),
            ("content", "story"),
        ),
        weight=5,
    ),
)

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
DEVICES = (
    Device(f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "en-GB", 34),
    Device(f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_CHROME} Mobile Safari/537.36", "en-GB", 26),
    Device(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        "en-US",
        28,
    ),
    Device("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "de-DE", 7),
    Device("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "en-US", 2),
)

ERRORS = (
    ("payment_declined", "The card was declined"),
    ("out_of_stock", "The item has just been sold"),
    ("bad_postcode", "The postcode is not known"),
)
EXCEPTIONS = (
    ("TypeError", "Cannot read properties of undefined"),
    ("NetworkError", "Failed to fetch"),
)

LATENCY_MS = {
    "page_view": (180.0, 0.35),
    "product_view": (220.0, 0.35),
    "search": (310.0, 0.40),
}
"""Median and log standard deviation of each type's latency."""

HOURLY_WEIGHT = (
    *(0.52, 0.42, 0.37, 0.35, 0.37, 0.44, 0.58, 0.80),
    *(0.98, 1.10, 1.18, 1.22, 1.26, 1.22, 1.18, 1.18),
    *(1.22, 1.30, 1.40, 1.48, 1.50, 1.38, 1.08, 0.75),
)
"""How busy each hour of the day is (UTC)."""

WEEKEND_WEIGHT = 0.88
"""How busy Saturday and Sunday are beside a working day."""
