"""Reading back, with distrust, what this program has written for itself: JSON, which a disk or a person may change."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
LONGEST = 60  # characters of a fraction


def parse(text: str | bytes) -> Any:
    """What `text`, a JSON document, says. Every string in it can be a file's name.

    Raises:
        ValueError: it is no JSON, is nested too deep, or holds what no file of ours does.
    """
    try:
        content = json.loads(text, parse_constant=refuse)
        raw = text if isinstance(text, str) else text.decode()
        if "\\u0000" in raw:
            raise ValueError("holds a NUL")
        if "\\ud" in raw.lower():
            json.dumps(content, ensure_ascii=False).encode(errors="surrogateescape")
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    return content


def refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def fraction(text: Any) -> Fraction:
    """A fraction from "24000/1001", "25" or "23.976"; one with an exponent could fill the memory.

    Raises:
        ValueError: it is none.
    """
    if len(str(text)) > LONGEST or "e" in str(text).lower():
        raise ValueError(f"{str(text)[:LONGEST]} is no fraction")
    try:
        return Fraction(str(text))
    except ZeroDivisionError as error:
        raise ValueError(f"{text} is no fraction") from error


def made(kind: type[T], values: Mapping[str, Any]) -> T:
    """The dataclass `kind` with these values, which must have the types that it says.

    Raises:
        TypeError: they have not, or one is missing or unknown.
    """
    check_types(kind, values)
    return kind(**values)


def check_types(kind: type, values: Mapping[str, Any]) -> None:
    """Compare values with the types of the fields of their names.

    Raises:
        TypeError: one has another type, or the values are no object.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"{values!r} is no object")
    for name, value in values.items():
        if name in hints(kind) and not fits(value, hints(kind)[name]):
            raise TypeError(f"{name} is {value!r:.80}")


@cache
def hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value has a type; of an object only the outermost is looked at."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin in (list, tuple):
        of = [one for one in inner if one is not Ellipsis]
        alike = origin is list or Ellipsis in inner
        kinds = of * len(value) if alike and isinstance(value, list | tuple) else of
        return isinstance(value, list | tuple) and len(kinds) == len(value) and all(map(fits, value, kinds))
    if hint is Any:
        return True
    wanted = origin or hint
    if wanted in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, int | float if wanted is float else wanted)
