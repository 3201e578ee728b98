"""The page an event happened on, and the campaign that led there, from where clients put them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_CAMPAIGN = frozenset({"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"})
_IN_PROPERTIES = {"referrer": "referrer", **{name: name for name in sorted(_CAMPAIGN)}}
_IN_PAGE = {
    "url": "page_url",
    "path": "page_path",
    "title": "page_title",
    "referrer": "referrer",
}
_IN_CAMPAIGN = {
    "source": "utm_source",
    "medium": "utm_medium",
    "name": "utm_campaign",
    "term": "utm_term",
    "content": "utm_content",
}
PAGE_TYPES = frozenset({"page_view"})
"""Types whose ``properties`` are a page's: client libraries put it there, or there too."""
_TOLD = frozenset({"page", *_IN_PROPERTIES})
_CONTEXT = frozenset({"page", "campaign"})
_MAX_QUERY_FIELDS = 100


def page_parts(
    context: Mapping[str, Any], properties: Mapping[str, Any], *, is_page: bool = False
) -> dict[str, Any]:
    """Read page, referrer and campaign from where clients commonly put them.

    Anything of another shape is passed over: what is in ``context`` and ``properties`` is the
    client's own, and no reason to refuse an event. Of a campaign that is told twice, the page's
    query rules, then ``context.campaign``, then ``properties``.

    Parameters
    ----------
    is_page
        The event is of a page, and its properties are the page's own: url, path, title.

    Returns
    -------
    dict
        Fields of :class:`common.models.EnrichedEvent`; only those that were found.

    Examples
    --------
    >>> page_parts({"page": {"url": "https://shop.example/a?utm_source=mail"}}, {})
    {'page_url': 'https://shop.example/a?utm_source=mail', 'page_path': '/a', 'utm_source': 'mail'}
    >>> page_parts({"campaign": {"name": "spring"}}, {"page": "/a"})
    {'utm_campaign': 'spring', 'page_path': '/a'}
    """
    if not is_page and _TOLD.isdisjoint(properties) and _CONTEXT.isdisjoint(context):
        return {}
    pages = [properties] if is_page else []
    if isinstance(page := context.get("page"), dict):
        pages.insert(0, page)
    found = _texts(properties, _IN_PROPERTIES)
    if isinstance(campaign := context.get("campaign"), dict):
        found |= _texts(campaign, _IN_CAMPAIGN)
    for each in pages:
        found |= _texts(each, _IN_PAGE)
    _add_named_page(found, properties.get("page"))
    for each in pages:
        if isinstance(search := each.get("search"), str):
            found |= _campaign(search.removeprefix("?"))
    if url := found.get("page_url"):
        path, from_url = _url_parts(url)
        if path:
            found.setdefault("page_path", path)
        found |= from_url
    return found


def _add_named_page(found: dict[str, Any], named: object) -> None:
    """Add the page that is named by a text, unless a page is known."""
    if isinstance(named, str) and named.startswith("/"):
        found.setdefault("page_path", named)
    elif isinstance(named, str) and named.startswith(("http://", "https://")):
        found.setdefault("page_url", named)


def _texts(source: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Take the texts among the members of ``source`` that ``names`` has a field for."""
    return {
        names[name]: text
        for name, text in source.items()
        if name in names and isinstance(text, str) and text
    }


def _url_parts(url: str) -> tuple[str, dict[str, str]]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", {}
    return parts.path, _campaign(parts.query)


def _campaign(query: str) -> dict[str, str]:
    if "utm_" not in query:
        return {}
    try:
        pairs = parse_qsl(query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return {}
    # Percent-decoding can bring in the control characters that the body was not allowed.
    return {name: text for name, text in pairs if name in _CAMPAIGN and text.isprintable()}
