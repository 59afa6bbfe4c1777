"""Calls that render templates: which template, and what it is given under which name.

Known are the functions of Flask, Quart, Starlette, FastAPI, Jinja, Pyramid and aiohttp, and functions of the workspace that take
the name of a template of the workspace and hand on the rest. This module must never read a template's text.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import UNKNOWN, Attr, Call, Const, Either, Mapping, Typed, same
from sqlalchemy_guard.project.bodies import own_nodes, values_of
from sqlalchemy_guard.project.effects import argument_of
from sqlalchemy_guard.project.templates import find, is_template_name
from sqlalchemy_guard.project.types import FunctionType, known
from sqlalchemy_guard.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy_guard.facts.declarations import CallFact, FunctionFacts
    from sqlalchemy_guard.facts.values import Value
    from sqlalchemy_guard.project.resolve import SourceFile
    from sqlalchemy_guard.project.templates import Template
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.syntax.chunk import Chunk


class Render(NamedTuple):
    """A template that is rendered, and what it is given."""

    template: Template
    names: dict[str, Value]


class _Way(NamedTuple):
    """How a function takes a template's name and what it is given: a position or keyword each, None for the keywords."""

    name: tuple[int, str]
    context: tuple[int, str] | None


_KEYWORDS = _Way((0, "template_name_or_list"), None)
_WAYS = {
    "flask.render_template": _KEYWORDS,
    "flask.stream_template": _KEYWORDS,
    "flask.templating.render_template": _KEYWORDS,
    "quart.render_template": _KEYWORDS,
    "quart.templating.render_template": _KEYWORDS,
    "flask_themes2.render_theme_template": _Way((1, "template_name"), None),
    "aiohttp_jinja2.render_template": _Way((0, "template_name"), (2, "context")),
    "aiohttp_jinja2.render_template_async": _Way((0, "template_name"), (2, "context")),
    "aiohttp_jinja2.render_string": _Way((0, "template_name"), (2, "context")),
    "pyramid.renderers.render": _Way((0, "renderer_name"), (1, "value")),
    "pyramid.renderers.render_to_response": _Way((0, "renderer_name"), (1, "value")),
}
_RESPONSES = ("starlette.templating.Jinja2Templates", "fastapi.templating.Jinja2Templates")
_ENVIRONMENTS = (
    "jinja2.Environment",
    "jinja2.sandbox.SandboxedEnvironment",
    "jinja2.environment.Environment",
)


def may_render(fact: CallFact) -> bool:
    """Whether a call may render a template, as far as its own text tells: it names one, or what does is called on one."""
    value = fact.value
    given = (*value.args, *(each for _, each in value.keywords))
    if any(_template_name(each) for each in given):
        return True
    func = value.func
    return isinstance(func, Attr) and func.name in ("render", "render_async") and isinstance(func.base, Call)


def render_of(workspace: Workspace, fact: CallFact, file: SourceFile) -> Render | None:
    """What a call renders, None when it renders nothing that is known."""
    resolver, call = workspace.resolver, fact.value
    way = _WAYS.get(resolver.external_name(call.func, file) or "")
    if way is not None:
        return _rendered(workspace, _given(call, way.name), call, way.context, file)
    if isinstance(call.func, Attr):
        made = _made_by(workspace, call.func.base, file)
        if call.func.name == "TemplateResponse" and made in _RESPONSES:
            # Since Starlette 0.29 the request comes first.
            at = 0 if call.args and _template_name(call.args[0]) else 1
            return _rendered(workspace, _given(call, (at, "name")), call, (at + 1, "context"), file)
        if call.func.name in ("render", "render_async", "generate", "stream"):
            return _of_environment(workspace, call, call.func.base, file)
    for option in known(resolver.type_of(call.func, file)):
        if isinstance(option, FunctionType):
            return _handed_on(workspace, option, call, file)
    return None


def renderer_of(workspace: Workspace, function: FunctionFacts, file: SourceFile) -> Template | None:
    """The template that a decorator renders with the mapping that a function returns."""
    for decorator in function.decorators:
        if not isinstance(decorator, Call):
            continue
        name = workspace.resolver.external_name(decorator.func, file)
        given = None
        if name in ("pyramid.view.view_config", "pyramid_services.view_config"):
            given = decorator.keyword("renderer")
        elif name == "aiohttp_jinja2.template":
            given = _given(decorator, (0, "template_name"))
        text = _template_name(given)
        # Pyramid names a package in front: `shop:templates/users.jinja2`.
        template = (
            find(workspace, text.rpartition(":")[2].removeprefix("templates/"), file.file_id)
            if text
            else None
        )
        if template is not None:
            return template
    return None


def returned_names(
    function: FunctionFacts, file: File
) -> Iterator[tuple[Chunk, ast.Return, dict[str, Value]]]:
    """The mappings that a function returns, each with the place where it does."""
    values = values_of(function, file.facts)
    for chunk, node in own_nodes(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield chunk, node, dict(mapped(values.get(node.value, UNKNOWN), file))


def _made_by(workspace: Workspace, value: Value, file: SourceFile) -> str | None:
    """The name of the class outside the workspace that made an object."""
    made, source = workspace.resolver.definition_of(value, file)
    return workspace.resolver.external_name(made.func, source) if isinstance(made, Call) else None


def _template_name(value: Value | None) -> str:
    """The template that a constant names, "" for any other value."""
    text = value.value if isinstance(value, Const) else None
    return text if isinstance(text, str) and is_template_name(text) else ""


def _given(call: Call, place: tuple[int, str]) -> Value | None:
    keyword = call.keyword(place[1])
    if keyword is not None:
        return keyword
    return call.args[place[0]] if place[0] < len(call.args) else None


def _rendered(
    workspace: Workspace,
    name: Value | None,
    call: Call,
    context: tuple[int, str] | None,
    file: SourceFile,
) -> Render | None:
    text = _template_name(name)
    template = find(workspace, text, file.file_id) if text else None
    if template is None:
        return None
    if context is None:
        return Render(template, dict(_entries(call, file)))
    given = _given(call, context)
    return Render(template, dict(mapped(given, file))) if given is not None else None


def _of_environment(workspace: Workspace, call: Call, base: Value, file: SourceFile) -> Render | None:
    """`environment.get_template("x.html").render(users=users)`"""
    made, source = workspace.resolver.definition_of(base, file)
    if not isinstance(made, Call) or not isinstance(made.func, Attr) or made.func.name != "get_template":
        return None
    if _made_by(workspace, made.func.base, source) not in _ENVIRONMENTS:
        return None
    text = _template_name(made.args[0] if made.args else made.keyword("name"))
    template = find(workspace, text, source.file_id) if text else None
    if template is None:
        return None
    names = dict(_entries(call, file))
    for argument in call.args[:1]:
        names.update(mapped(argument, file))
    return Render(template, names)


def _handed_on(workspace: Workspace, option: FunctionType, call: Call, file: SourceFile) -> Render | None:
    """A function of the workspace that takes a template's name and any keywords besides."""
    source = workspace.resolver.sources.file(option.file_id)
    function = source.facts.function(option.qualname) if source is not None else None
    if function is None or not any(each.kind == "var-keyword" for each in function.parameters):
        return None
    own = {each.name for each in function.parameters if each.kind != "var-keyword"}
    named = next((name for name in own if _template_name(argument_of(call, function, name))), None)
    text = _template_name(argument_of(call, function, named)) if named is not None else ""
    template = find(workspace, text, file.file_id) if text else None
    if template is None:
        return None
    return Render(template, {name: value for name, value in _entries(call, file) if name not in own})


def _entries(call: Call, file: SourceFile) -> Iterator[tuple[str, Value]]:
    """What the keywords of a call give, mappings taken apart."""
    for name, value in call.keywords:
        if name is not None:
            yield name, value
        else:
            yield from mapped(value, file)


def mapped(value: Value, file: SourceFile) -> Iterator[tuple[str, Value]]:
    """The entries of a mapping that is written out, with what is put into it afterwards."""
    if isinstance(value, Typed):
        value = value.value
    options = value.options if isinstance(value, Either) else (value,)
    for option in options:
        yield from _pairs(option)
    for unit in file.facts.units():
        for each in unit.item_sets:
            if isinstance(each.key, Const) and isinstance(each.key.value, str) and same(each.base, value):
                yield each.key.value, each.value


def _pairs(value: Value) -> Iterator[tuple[str, Value]]:
    if isinstance(value, Typed):
        value = value.value
    if isinstance(value, Mapping):
        for key, item in value.entries:
            if isinstance(key, Const) and isinstance(key.value, str):
                yield key.value, item
            elif key is None:
                yield from _pairs(item)
    elif isinstance(value, Call):
        # `dict(users=users)`
        yield from ((name, item) for name, item in value.keywords if name is not None)
