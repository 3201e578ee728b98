from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    FiniteFloat,
    StringConstraints,
)

from common.domain.structs import Part, parts_of, struct_of


def _same(value: Any) -> Any:
    return value


class Known(BaseModel):
    name: Annotated[str, StringConstraints(min_length=1, max_length=3, pattern=r"^[a-z]*$")]
    count: int = Field(ge=0, le=9)
    share: Annotated[FiniteFloat, Field(ge=0)] | None = None
    is_on: bool = True
    kind: Literal["a", "b"] = "a"
    at: Annotated[AwareDatetime, AfterValidator(_same)] | None = None
    free: dict[str, Any] | None = None


def test_a_field_takes_what_the_model_takes() -> None:
    decode = msgspec.json.Decoder(struct_of("Known", parts_of(Known))).decode

    assert decode(b'{"name":"abc","count":9}').kind == "a"
    assert decode(b'{"name":"a","count":0,"share":1,"free":{"a":1},"at":null}').share == 1.0


@pytest.mark.parametrize(
    "line",
    [
        b'{"name":"","count":1}',
        b'{"name":"abcd","count":1}',
        b'{"name":"A","count":1}',
        b'{"name":"a\\n","count":1}',
        b'{"name":"a","count":-1}',
        b'{"name":"a","count":10}',
        b'{"name":"a","count":1,"share":-0.5}',
        b'{"name":"a","count":1,"share":1e999}',
        b'{"name":"a","count":1,"is_on":1}',
        b'{"name":"a","count":1,"kind":"c"}',
        b'{"name":"a","count":1,"kind":null}',
        b'{"name":"a","count":1,"more":1}',
        b'{"name":"a"}',
    ],
)
def test_a_field_takes_nothing_more(line: bytes) -> None:
    decode = msgspec.json.Decoder(struct_of("Known", parts_of(Known))).decode

    with pytest.raises(msgspec.ValidationError):
        decode(line)


def test_instants_and_objects_are_left_as_they_came_with_what_is_to_be_done_to_them() -> None:
    parts = parts_of(Known)

    assert parts["at"] == Part(str | None, datetime, (_same,), None)
    assert parts["free"] == Part(msgspec.Raw, dict, (), None)


class OtherType(BaseModel):
    field: bytes


class Before(BaseModel):
    field: Annotated[str, BeforeValidator(_same)]


class Stricter(BaseModel):
    field: Annotated[str, StringConstraints(strip_whitespace=True)]


class Multiple(BaseModel):
    field: int = Field(multiple_of=2)


class Infinite(BaseModel):
    field: float


class Naive(BaseModel):
    field: datetime


class Partly(BaseModel):
    field: str = Field(pattern="a$")


class Made(BaseModel):
    field: dict[str, Any] = Field(default_factory=dict)


@pytest.mark.parametrize(
    "model", [OtherType, Before, Stricter, Multiple, Infinite, Naive, Partly, Made]
)
def test_a_model_that_asks_for_more_is_refused_rather_than_read_loosely(
    model: type[BaseModel],
) -> None:
    with pytest.raises(TypeError, match=r"decoder|pattern"):
        parts_of(model)
