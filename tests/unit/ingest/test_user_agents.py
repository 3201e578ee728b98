from __future__ import annotations

import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.user_agents import LONGEST, REMEMBERED, UserAgents

AGENTS = UserAgents()
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("user_agent", "family", "system", "device", "is_bot"),
    [
        pytest.param(SAFARI, "Mobile Safari", "iOS", "iPhone", False, id="phone"),
        pytest.param(CHROME, "Chrome", "Windows", None, False, id="desktop"),
        pytest.param(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Googlebot",
            None,
            "Spider",
            True,
            id="search engine",
        ),
        pytest.param(
            "Mozilla/5.0 AppleWebKit/537.36 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "GPTBot",
            None,
            "Spider",
            True,
            id="model's crawler",
        ),
        pytest.param("curl/8.5.0", "curl", None, None, False, id="tool"),
        pytest.param("analytics-python/2.4.0", None, None, None, False, id="client library"),
    ],
)
def test_tells_program_system_device_and_robot(
    user_agent: str, family: str | None, system: str | None, device: str | None, is_bot: bool
) -> None:
    assert dict(AGENTS.facts(user_agent)) == {
        "ua_family": family,
        "ua_os": system,
        "ua_device": device,
        "is_bot": is_bot,
    }


@pytest.mark.parametrize("user_agent", ["", "   ", " " * 1000])
def test_no_user_agent_says_nothing_not_even_that_it_is_no_robot(user_agent: str) -> None:
    assert dict(AGENTS.facts(user_agent)) == {}


@given(st.text(max_size=2 * LONGEST))
@settings(max_examples=300)
def test_any_text_is_read(user_agent: str) -> None:
    facts = AGENTS.facts(user_agent)

    assert all(len(str(value)) <= LONGEST + 64 for value in facts.values())


def test_only_the_beginning_of_an_endless_text_is_read() -> None:
    robot = "Googlebot/2.1"

    assert AGENTS.facts(" " * 3 + robot + "x" * 10_000_000)["is_bot"] is True
    assert AGENTS.facts("x" * LONGEST + robot)["is_bot"] is False


def test_what_is_remembered_is_bounded_and_given_again() -> None:
    agents = UserAgents()
    agents.warm()
    tracemalloc.start()
    try:
        for number in range(3 * REMEMBERED):
            agents.facts(f"{number} " + "x" * 10_000)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert used < 2 * REMEMBERED * (LONGEST + 1_000)
    assert agents.facts(CHROME) is agents.facts(CHROME)


def test_the_rules_are_loaded_when_the_first_user_agent_comes() -> None:
    loaded = {name for name in sys.modules if name.startswith("ua_parser")}
    for name in loaded:
        del sys.modules[name]

    agents = UserAgents()
    agents.facts("")
    before = "ua_parser" in sys.modules
    agents.facts(CHROME)

    assert not before
    assert "ua_parser" in sys.modules
