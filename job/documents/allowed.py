"""Annotations that bound the values of the documents. `checking` holds documents to them, the schemas publish them."""

from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True, slots=True)
class Between:
    """A number, or each of a list of numbers, from `low` to `high`."""

    low: float
    high: float

    def schema(self) -> dict[str, Any]:
        """The keywords of JSON Schema that say the same of a number."""
        return {"minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Name:
    """A text of at most `length` characters, without NUL."""

    length: int = 4096

    def schema(self) -> dict[str, Any]:
        """The keyword of JSON Schema that says the same of a text."""
        return {"maxLength": self.length}


@dataclass(frozen=True, slots=True)
class RelativePath:
    """A path relative to a folder, which does not lead out of it."""

    def schema(self) -> dict[str, Any]:
        """Nothing that JSON Schema could say."""
        return {}


Share = Annotated[float, Between(0, 1)]
Count = Annotated[int, Between(0, 1 << 53)]
