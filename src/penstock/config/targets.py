"""The targets a provider has though none are configured for it, and what the sandbox stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from penstock.config.standing import CHOICES, HASHED, SERVED, STOOD_FOR, VENDOR_NAMES, VENDOR_URLS
from penstock.config.values import Kind, KnownModel, Provider, Target

Known = Mapping[str, Sequence[KnownModel]]
"""The models of the price table by kind, cheapest first."""

OUTPUT = Target(provider="", model="").default_max_output


def default_targets(name: str, provider: Provider, known: Known) -> list[Target]:
    """Those of its kind in the price table; none for somebody else's OpenAI-compatible API."""
    match provider.kind:
        case "sandbox":
            return [_stand_in(name, kind, model) for kind, model in _stood_for(known)]
        case "hashed":
            return [Target(provider=name, model=HASHED, verb="embed", dimension=384)]
        case "local":
            model = provider.path.rstrip("/").rpartition("/")[2] or "model"
            return [Target(provider=name, model=model, verb="embed")]
        case "service":
            return [_served(name, known)]
        case _:
            if not is_vendor(name, provider):
                return []
            return [_target(name, model) for model in models(provider.kind, known)]


def _served(name: str, known: Known) -> Target:
    """A chat service's one target: the first design's strong model, which speaks text alone there."""
    found = (model for model in models("openai", known) if model.model == SERVED)
    target = _target(name, next(found, KnownModel(model=SERVED)))
    return replace(target, stands_for=f"openai/{SERVED}", tools=False, images=False)


def is_vendor(name: str, provider: Provider) -> bool:
    """Does it reach the vendor's own models, by its address or by its name?"""
    own = VENDOR_URLS.get(provider.kind)
    return provider.base_url in {"", own} or name in VENDOR_NAMES


def models(kind: Kind, known: Known) -> Sequence[KnownModel]:
    """Those of the price table; where it is not given, the ones `auto` and `embed` need."""
    if kind in known:
        return known[kind]
    choice = CHOICES[kind]
    chats = dict.fromkeys(part[0] for part in (choice.simple, choice.medium, choice.strong) if part)
    found = [KnownModel(model=model) for model in chats]
    return found + [KnownModel(model=model, verb="embed") for model in choice.embed[:1]]


def sandbox_aliases(targets: Iterable[Target]) -> dict[str, str]:
    """The full names of Workers AI's models → the targets that stand for them."""
    ends = {target.stands_for.partition("/")[2]: target.name for target in targets}
    return {model: name for model, name in ends.items() if model.startswith("@")}


def _stood_for(known: Known) -> Iterable[tuple[Kind, KnownModel]]:
    return ((kind, model) for kind in STOOD_FOR for model in models(kind, known))


def _target(provider: str, model: KnownModel) -> Target:
    return Target(
        provider=provider,
        model=model.model,
        verb=model.verb,
        context=model.context,
        max_output=model.max_output,
        default_max_output=min(OUTPUT, model.max_output or OUTPUT),
        dimension=model.dimension,
        tools=model.tools,
        images=model.images,
    )


def _stand_in(provider: str, kind: Kind, model: KnownModel) -> Target:
    """Named by the model's last part: `@cf/meta/x` is `sandbox/x`."""
    own = _target(provider, model)
    return Target(
        provider=provider,
        model=model.model.rpartition("/")[2],
        verb=own.verb,
        stands_for=f"{kind}/{model.model}",
        context=own.context,
        max_output=own.max_output,
        default_max_output=own.default_max_output,
        dimension=own.dimension,
        tools=own.tools,
        images=own.images,
    )
