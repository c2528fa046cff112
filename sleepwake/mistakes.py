"""From a validation error to what a user can mend: each mistake by its path in the recipe, with the line to write."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo


def tell(model: type[BaseModel], error: ValidationError, table: Mapping[str, Any]) -> str:
    """Every mistake of a table: a count, then two lines each.

    Args:
        model: what the table should be.
        error: what pydantic found.
        table: the table as it was read.
    """
    found = [{**item, "msg": message} for item in error.errors(include_url=False) for message in item["msg"].split("\n")]
    told = list(dict.fromkeys(_one(model, item, table) for item in found))
    count = "1 mistake" if len(told) == 1 else f"{len(told)} mistakes"
    return "\n".join([count, *(f"  {what}\n    write: {write}" for what, write in told)])


def _one(model: type[BaseModel], error: Mapping[str, Any], table: Mapping[str, Any]) -> tuple[str, str]:
    """What is wrong, and the line to write."""
    path, value = _walk(error["loc"], error["type"], table)
    where, message = ".".join(path), error["msg"].removeprefix("Value error, ")
    while len(path) > 1 and path[-1].isdigit():  # an item of a list: the line to write is the whole list
        path = path[:-1]
    fields = _fields(model, path[:-1], table)
    field = fields.get(path[-1]) if path else None
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(path[-1], list(fields), 1, 0.65)
        known = f"no such line; known here: {', '.join(fields) or 'nothing'}"
        return f"{where}: unknown setting", line(close[0], fields[close[0]]) if close else known
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        tags = [tag for tag, _ in tagged(field)]
        said = f" = {json.dumps(value['type'])}" if isinstance(value, Mapping) and "type" in value else ""
        return f"{where}.type{said}: must be one of {', '.join(tags)}", f'{where}.type = "{tags[0]}"'
    if error["type"] == "missing":
        return f"{where}: missing", line(path[-1], field)
    what, *lines = re.split(r"[;:] write ", message, maxsplit=1)
    write = "".join(lines)
    if write or not path:
        return f"{where}.{what}".lstrip("."), write or "see sleepwake recipes show"
    shown = f" = {json.dumps(value, default=str)}" if not isinstance(value, Mapping) else ""
    return f"{where}{shown}: {what[:1].lower()}{what[1:]}", line(path[-1], field)


def line(key: str, field: FieldInfo | None) -> str:
    """A valid line for a setting: its default, or an example of its kind."""
    if field is None:
        return f"{key} = a value of the kind named above"
    if next(models(field.annotation), None) is not None:
        tag = next((tag for tag, _ in tagged(field)), None)
        return f'[{key}]  # with type = "{tag}"' if tag else f"[{key}]"
    if not field.is_required():
        return f"{key} = {_toml(field.get_default(call_default_factory=True))}"
    options = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    first = next(iter(get_args(field.annotation)), field.annotation) if not options else field.annotation
    examples = {"str": f'"{key}"', "int": "1", "float": "0.5", "bool": "true"}
    example = examples.get(getattr(first, "__name__", ""), "...")
    return f"{key} = {json.dumps(options[0]) if options else example}"


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings classes in an annotation: itself, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for member in get_args(annotation):
        yield from models(member)


def tagged(field: FieldInfo | None) -> Iterator[tuple[str, type[BaseModel]]]:
    """The settings classes of a field by their `type`."""
    for model in models(field.annotation) if field else ():
        if "type" in model.model_fields:
            yield str(get_args(model.model_fields["type"].annotation)[0]), model


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value) if isinstance(value, float) else json.dumps(value)


def _walk(loc: tuple[int | str, ...], kind: str, table: Mapping[str, Any]) -> tuple[list[str], Any]:
    """The path as the user wrote it, without pydantic's names of union members, and the value there."""
    path: list[str] = []
    value: Any = table
    for index, key in enumerate(loc):
        written = key in value if isinstance(value, Mapping) else isinstance(value, list)
        if written:
            value = value[key]
        elif not (kind == "missing" and index == len(loc) - 1):
            continue
        path.append(str(key))
    return path, value


def _fields(model: type[BaseModel], path: list[str], table: Mapping[str, Any]) -> dict[str, FieldInfo]:
    """The settings that are known at a path, by the `type` that stands there."""
    here: list[type[BaseModel]] = [model]
    value: Any = table
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
        inner = [m.model_fields[key] for m in here if key in m.model_fields]
        here = [found for field in inner for found in models(field.annotation)]
        tag = value.get("type") if isinstance(value, Mapping) else None
        if tag is not None:
            here = [m for m in here if "type" in m.model_fields and tag in get_args(m.model_fields["type"].annotation)] or here
    return {name: field for m in here for name, field in m.model_fields.items()}
