"""The base class of all tables: constraint names, column types, and conditions that several tables share."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Boolean, Integer, MetaData, String
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, REAL, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def rating_in_range(column: str) -> str:
    return f"{column} BETWEEN 0.5 AND 5"


def readable_time(column: str) -> str:
    """Return the condition that Python's datetime can represent the time in every time zone of a session."""
    return f"{column} BETWEEN '0001-01-02 00:00:00+00' AND '9999-12-30 00:00:00+00'"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar = {
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
        list[int]: ARRAY(Integer),
        list[float]: ARRAY(REAL),
        list[bool]: ARRAY(Boolean),
        list[str]: ARRAY(String),
        float: REAL,
        bytes: BYTEA,
    }
