"""OpenAI's messages and tools → Anthropic's."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from penstock.errors import BadRequest
from penstock.wire.chat import invalid_field
from penstock.wire.json import parser

Block = dict[str, Any]
T = TypeVar("T")

_decode = parser(Any)

CHOICES = {"auto": "auto", "required": "any", "none": "none"}


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _Tool(Struct):
    function: _Function


class _Called(Struct):
    name: str
    arguments: str = ""


class _Call(Struct):
    id: str
    function: _Called


class _Named(Struct):
    type: Literal["function"]
    function: _Called


def turns(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The system text and the turns: system messages joined, neighbours of one role merged.

    Blocks without text are left out, which Anthropic refuses; a chat of system messages alone
    becomes a user's turn.
    """
    system: list[str] = []
    found: list[dict[str, Any]] = []
    for i, message in enumerate(messages):
        if message["role"] in ("system", "developer"):
            system.extend(_system(message, i))
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _turn(message, i)
        if found and found[-1]["role"] == role:
            found[-1]["content"].extend(blocks)
        elif blocks:
            found.append({"role": role, "content": blocks})
    if not found:
        return "", [{"role": "user", "content": [{"type": "text", "text": "\n\n".join(system)}]}]
    _trim_prefill(found[-1])
    return "\n\n".join(system), found


def tools(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Function tools; `strict` has no counterpart and is left out."""
    found = []
    for i, item in enumerate(given):
        function = _read(item, _Tool, f"tools[{i}]").function
        tool: dict[str, Any] = {"name": function.name}
        if function.description:
            tool["description"] = function.description
        tool["input_schema"] = function.parameters or {"type": "object", "properties": {}}
        found.append(tool)
    return found


def tool_choice(choice: Any, parallel: bool | None) -> dict[str, Any] | None:
    """Which tool to use, None for Anthropic's own default."""
    found: dict[str, Any] = {"type": "auto"}
    if isinstance(choice, str):
        if choice not in CHOICES:
            raise BadRequest("'tool_choice' is unknown.", code="invalid_field", param="tool_choice")
        found = {"type": CHOICES[choice]}
    elif choice is not None:
        found = {"type": "tool", "name": _read(choice, _Named, "tool_choice").function.name}
    if parallel is False and found["type"] != "none":
        found["disable_parallel_tool_use"] = True
    return None if found == {"type": "auto"} else found


def _system(message: dict[str, Any], i: int) -> list[str]:
    blocks = _content(message, i)
    if any(block["type"] != "text" for block in blocks):
        where = f"messages[{i}].content"
        raise BadRequest(
            f"'{where}' holds more than text, which this target's instructions cannot.",
            code="unsupported_field",
            param=where,
        )
    return [block["text"] for block in blocks]


def _turn(message: dict[str, Any], i: int) -> list[Block]:
    if message["role"] == "tool":
        return [_result(message, i)]
    blocks = _content(message, i)
    for j, item in enumerate(message.get("tool_calls") or ()):
        where = f"messages[{i}].tool_calls[{j}]"
        call = _read(item, _Call, where)
        arguments = _arguments(call.function.arguments, where)
        blocks.append(
            {"type": "tool_use", "id": call.id, "name": call.function.name, "input": arguments}
        )
    return blocks


def _result(message: dict[str, Any], i: int) -> Block:
    id = message.get("tool_call_id")
    if not id:
        where = f"messages[{i}].tool_call_id"
        raise BadRequest(f"'{where}' is missing.", code="invalid_field", param=where)
    return {"type": "tool_result", "tool_use_id": id, "content": _content(message, i)}


def _content(message: dict[str, Any], i: int) -> list[Block]:
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks = [_block(part, f"messages[{i}].content[{j}]") for j, part in enumerate(content or ())]
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _block(part: dict[str, Any], where: str) -> Block:
    if part["type"] == "image_url":
        return {"type": "image", "source": _source(part["image_url"], where)}
    text = part.get("refusal") if part["type"] == "refusal" else part["text"]
    block: Block = {"type": "text", "text": text if isinstance(text, str) else ""}
    if isinstance(part.get("cache_control"), dict):
        # Only the default life of five minutes has a price in the table.
        block["cache_control"] = {"type": "ephemeral"}
    return block


def _source(image: Any, where: str) -> dict[str, str]:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise BadRequest(f"'{where}' has no url.", code="invalid_field", param=where)
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    kind, comma, payload = url[5:].partition(",")
    media, _, encoding = kind.rpartition(";")
    if not comma or encoding != "base64":
        raise BadRequest(
            f"'{where}' is a data: URL without base64.", code="invalid_field", param=where
        )
    return {"type": "base64", "media_type": media.split(";")[0], "data": payload}


def _arguments(text: str, where: str) -> dict[str, Any]:
    try:
        value: Any = _decode(text.encode()) if text.strip() else {}
    except (msgspec.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        param = f"{where}.function.arguments"
        raise BadRequest(f"'{param}' is not a JSON object.", code="invalid_field", param=param)
    return value


def _trim_prefill(turn: dict[str, Any]) -> None:
    # Anthropic refuses an assistant's unfinished turn that ends in white space.
    last = turn["content"][-1] if turn["role"] == "assistant" else {}
    if last.get("type") == "text":
        last["text"] = last["text"].rstrip()


def _read(value: Any, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = invalid_field(error)
        param = f"{where}.{found.param}" if found.param else where
        raise BadRequest(
            found.message.split(" in ")[0].rstrip(".") + f" in {param}.",
            code="invalid_field",
            param=param,
        ) from error
