from __future__ import annotations

from common.domain.lake_schema import COLUMNS, PARTITIONS
from common.models import LakeRow


def test_every_field_of_a_row_is_a_column_in_order() -> None:
    assert [column.name for column in COLUMNS] == list(LakeRow.model_fields)


def test_a_column_is_nullable_exactly_where_the_field_is() -> None:
    for column in COLUMNS:
        takes_null = type(None) in getattr(
            LakeRow.model_fields[column.name].annotation, "__args__", ()
        )
        assert column.nullable is takes_null, column.name


def test_no_column_hides_a_partition() -> None:
    assert not {column.name for column in COLUMNS} & set(PARTITIONS)
