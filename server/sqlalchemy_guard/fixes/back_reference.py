"""The other side of a relationship, as `backref` would make it: attribute, annotation, arguments and place in its class.

None wherever the two sides would not be exactly what they are today. This module must never know a rule.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from sqlalchemy_guard.facts.values import Call, Const
from sqlalchemy_guard.fixes.carry import Carrier, Destination
from sqlalchemy_guard.fixes.classes import has_own_lines, insert_behind
from sqlalchemy_guard.fixes.imports import Placed, need_all
from sqlalchemy_guard.fixes.relationship_text import Shape, annotation, module_for
from sqlalchemy_guard.fixes.source import Source
from sqlalchemy_guard.fixes.type_imports import is_bound, need_types
from sqlalchemy_guard.project.columns import column_of, is_dataclass
from sqlalchemy_guard.project.configured import Configured, Direction, configured
from sqlalchemy_guard.project.model import model_of
from sqlalchemy_guard.project.relationships import Relationship, relationships_of
from sqlalchemy_guard.project.types import ClassType
from sqlalchemy_guard.records import dataclass, field
from sqlalchemy_guard.text.edit import apply_edits
from sqlalchemy_guard.text.minimal import minimal_edits

if TYPE_CHECKING:
    from sqlalchemy_guard.facts.declarations import Attribute
    from sqlalchemy_guard.project.workspace import File, Workspace
    from sqlalchemy_guard.text.edit import Edit

_INHERITED = ("viewonly", "post_update", "passive_updates", "sync_backref")
"""What `backref` takes over from the side that declares it."""

_SHADOWING = frozenset({"relationship", "mapped_column", "Mapped", "Column", "ForeignKey"})
"""What a class body calls: an attribute of that name takes it away from all that is declared below."""


@dataclass(slots=True)
class OtherSide:
    """A relationship to be written into another class.

    Attributes:
        name: The attribute.
        owner: The class that it leads to.
        owner_file: That class's file.
        destination: The class that gets it.
        shape: What it holds, None where no annotation is written.
        arguments: Its arguments in order, as text.
    """

    name: str
    owner: str
    owner_file: File
    destination: Destination
    shape: Shape | None
    arguments: list[str] = field(default_factory=list)


def other_side_of_backref(
    workspace: Workspace, relationship: Relationship, source: Source, *, typed: bool
) -> OtherSide | None:
    """What `backref=` makes, written out.

    Args:
        workspace: The files.
        relationship: The relationship that says `backref=`.
        source: The text of its file.
        typed: Whether it gets an annotation.
    """
    given = relationship.argument("backref")
    if given is None or relationship.value("back_populates") is not None:
        return None
    name, options = _read(workspace, relationship, *given)
    return (
        other_side(workspace, relationship, name, options, source, typed=typed) if name is not None else None
    )


def other_side(
    workspace: Workspace,
    relationship: Relationship,
    name: str,
    options: dict[str, ast.expr],
    source: Source,
    *,
    typed: bool,
) -> OtherSide | None:
    """The other side of a relationship.

    Args:
        workspace: The files.
        relationship: The side that there is.
        name: The attribute of the other side.
        options: What else the other side is told, as it is written here.
        source: The text of this side's file.
        typed: Whether it gets an annotation.
    """
    known = configured(workspace, relationship)
    if name in _SHADOWING:
        return None
    destination = _destination(workspace, relationship, known, name)
    if destination is None or known.direction is None:
        return None
    carrier = Carrier(workspace, relationship, destination, source)
    arguments = _inherited(carrier, relationship, known, options)
    carried = {key: carrier.carry(key, node) for key, node in options.items()}
    if arguments is None or None in carried.values():
        return None
    shape = _shape(relationship, known, options) if typed else None
    if typed and shape is None:
        return None
    owner = relationship.owner.name
    found = OtherSide(name, owner, _file(workspace, relationship), destination, shape)
    if shape is None:
        found.arguments.append(f"{source.quote}{owner}{source.quote}")
    found.arguments += arguments
    found.arguments.append(f"back_populates={source.quote}{relationship.name}{source.quote}")
    found.arguments += [
        f"{key}={text}" for key, text in carried.items() if not (shape is not None and _is_said(key, options))
    ]
    return found


def _file(workspace: Workspace, relationship: Relationship) -> File:
    file = workspace.file(relationship.file.file_id)
    assert file is not None, "the facts come from the file"
    return file


def _read(
    workspace: Workspace, relationship: Relationship, value: object, node: ast.expr
) -> tuple[str | None, dict[str, ast.expr]]:
    """The name and the options that `backref=` is given."""
    if type(value) is Const and isinstance(value.value, str):
        return value.value, {}
    if type(value) is not Call or not isinstance(node, ast.Call) or value.has_mapping:
        return None, {}
    if workspace.resolver.external_name(value.func, relationship.file) != "sqlalchemy.orm.backref":
        return None, {}
    said = value.args[0] if len(value.args) == 1 == len(node.args) else None
    options = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    if said is None and not value.args:
        said = value.keyword("name")
        options.pop("name", None)
    name = said.value if type(said) is Const and isinstance(said.value, str) else None
    return name, options


def _destination(
    workspace: Workspace, relationship: Relationship, known: Configured, name: str
) -> Destination | None:
    resolver = workspace.resolver
    found = resolver.class_facts(known.target) if known.target is not None else None
    if found is None or known.target is None:
        return None
    facts, source = found
    file = workspace.file(source.file_id)
    owner = relationship.owner
    if file is None or file.syntax.problems or _file(workspace, relationship).syntax.problems:
        return None
    models = (model_of(resolver, facts, file), model_of(resolver, owner, relationship.file))
    if any(model is None or not model.is_mapped or model.kind == "sqlmodel.SQLModel" for model in models):
        return None
    if "." in owner.qualname or "." in facts.qualname:
        return None
    class_ = ClassType(known.target)
    if is_dataclass(resolver, class_) or is_dataclass(resolver, ClassType(relationship.owner_id)):
        return None
    return None if resolver.member(class_, name) is not None else Destination(facts, file)


def _inherited(
    carrier: Carrier, relationship: Relationship, known: Configured, options: dict[str, ast.expr]
) -> list[str] | None:
    """The arguments that the other side takes over, None when one of them cannot be said there."""
    taken = {"secondary": "secondary", "foreign_keys": "foreign_keys"}
    if known.direction is Direction.MANYTOMANY:
        taken |= {"primaryjoin": "secondaryjoin", "secondaryjoin": "primaryjoin"}
    else:
        taken["primaryjoin"] = "primaryjoin"
        condition = relationship.argument("primaryjoin")
        if condition is not None:
            is_directed = "remote(" in ast.unparse(condition[1]) or "remote_side" in options
            if is_directed or relationship.argument("remote_side") is not None:
                # The other side is remote there: the condition would have to be turned round.
                return None
    taken |= {name: name for name in _INHERITED}
    found: list[str] = []
    for name, source in taken.items():
        given = relationship.argument(source)
        if given is None or name in options:
            continue
        text = carrier.carry(name, given[1])
        if text is None:
            return None
        found.append(f"{name}={text}")
    return found


def _shape(relationship: Relationship, known: Configured, options: dict[str, ast.expr]) -> Shape | None:
    """What the other side holds; None where its type cannot be said."""
    lazy = _constant(options.get("lazy"))
    uselist = _constant(options.get("uselist"))
    if "lazy" in options and not isinstance(options["lazy"], ast.Constant):
        return None
    if "uselist" in options and not isinstance(uselist, bool):
        return None
    if lazy in ("dynamic", "write_only"):
        return Shape("DynamicMapped" if lazy == "dynamic" else "WriteOnlyMapped")
    to_one = known.direction is Direction.ONETOMANY
    if not (uselist if isinstance(uselist, bool) else not to_one):
        if not to_one:
            return Shape(optional=True)
        if relationship.argument("primaryjoin") is not None or "primaryjoin" in options:
            # The condition may leave the object out.
            return Shape(optional=True)
        said = [link.nullable for link in known.links]
        if None in said or not said:
            return None
        return Shape(optional=True in said)
    if to_one:
        return None
    factory = options.get("collection_class")
    if factory is None:
        return Shape(container="list")
    if isinstance(factory, ast.Name) and factory.id in ("list", "set"):
        return Shape(container=factory.id)
    return None


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _is_said(name: str, options: dict[str, ast.expr]) -> bool:
    """Whether the annotation says what an option says."""
    node = options[name]
    if name == "lazy":
        return _constant(node) in ("dynamic", "write_only")
    if name == "uselist":
        return True
    return name == "collection_class"


def is_writable(workspace: Workspace, side: OtherSide, source: Source) -> bool:
    """Whether `write` finds a place for a relationship in its class, without writing it."""
    present = list(relationships_of(workspace.resolver, side.destination.facts, side.destination.file))
    last = _last(workspace, side, present)
    return (
        last is not None
        and isinstance(last.node, ast.stmt)
        and has_own_lines(source, last.node, last.chunk.shift)
    )


def write(workspace: Workspace, side: OtherSide, source: Source) -> tuple[Edit, ...] | None:
    """The edits that write a relationship into its class, imports included; None where there is no place for it.

    Args:
        workspace: The files.
        side: The relationship.
        source: The text of the destination's file.
    """
    file, facts = side.destination.file, side.destination.facts
    present = list(relationships_of(workspace.resolver, facts, file))
    last = _last(workspace, side, present)
    if last is None:
        return None
    statements = [Placed(node, chunk.shift) for chunk in file.syntax.chunks for node in chunk.body]
    taken = {*facts.attributes, *facts.methods, *facts.classes}
    pattern, wanted = "", list[tuple[str, str]]()
    if side.shape is not None:
        pattern, wanted = annotation(source, statements, side.shape, side.owner, taken=taken)
    func = _callee(source, facts.header, present or _elsewhere(workspace, file))
    if func is None:
        wanted.append(("sqlalchemy.orm", "relationship"))
    own = {workspace.modules.dotted(file.file_id).partition(".")[0]}
    names, imported = need_all(source, statements, wanted, taken=taken, first_party=own)
    func = func or names[-1]
    said = f": {pattern.format(*names)}" if pattern else ""
    line = f"{side.name}{said} = {func}({', '.join(side.arguments)})"
    statement = last.node
    assert isinstance(statement, ast.stmt)
    apart = _is_apart(source, last, present)
    inserted = insert_behind(source, statement, line, last.chunk.shift, apart=apart)
    if inserted is None:
        return None
    edits = (*imported, inserted)
    if side.shape is None or side.owner_file is file or is_bound(statements, side.owner):
        return edits
    module = module_for(workspace, side.owner_file.file_id, file.file_id, statements)
    if module is None:
        return edits
    now = Source(apply_edits(source.text, edits), source.line_length)
    return minimal_edits(source.text, apply_edits(now.text, need_types(now, [(module, side.owner)])))


def _callee(source: Source, header: ast.ClassDef, present: list[Relationship]) -> str | None:
    """How the class calls `relationship`: as its other relationships do, or on the extension that gives its base."""
    named = [each for each in present if each.kind == "sqlalchemy.orm.relationship"]
    if named:
        return source.segment(named[-1].node.func, named[-1].attribute.chunk.shift)
    for base in header.bases:
        if isinstance(base, ast.Attribute) and base.attr == "Model" and isinstance(base.value, ast.Name):
            return f"{base.value.id}.relationship"
    return None


def _elsewhere(workspace: Workspace, file: File) -> list[Relationship]:
    """The relationships of the file's other classes."""
    classes = (found[-1] for found in file.facts.classes.values())
    return [each for class_ in classes for each in relationships_of(workspace.resolver, class_, file)]


def _last(workspace: Workspace, side: OtherSide, present: list[Relationship]) -> Attribute | None:
    """The attribute behind which a relationship belongs: the last relationship, else the last column, else the last."""
    facts, file = side.destination.facts, side.destination.file
    columns = [
        each
        for each in facts.attributes.values()
        if column_of(workspace.resolver, each, facts, file) is not None
        or (isinstance(each.node, ast.AnnAssign) and each.node.value is None)
    ]
    for candidates in ([each.attribute for each in present], columns, list(facts.attributes.values())):
        if candidates:
            return max(candidates, key=lambda each: each.node.lineno + each.chunk.shift)
    return None


def _is_apart(source: Source, last: Attribute, present: list[Relationship]) -> bool:
    """Whether a blank line belongs in front of a relationship behind that attribute."""
    others = [each.attribute for each in present if each.attribute is not last]
    if not any(each.attribute is last for each in present):
        return True
    first = source.first_line(last.node, last.chunk.shift)
    return (
        any((each.node.end_lineno or each.node.lineno) + each.chunk.shift == first - 1 for each in others)
        and not source.lines[first - 1].strip()
    )
