"""The abstract evaluator: runs a block of statements over symbolic values, flow-sensitively, and notes what it sees.

Branches are joined, loops run at most twice, nothing is looked up outside the file. Its result depends on the statements and
the incoming environment alone, which is what makes it reusable while somebody types. This module must never raise on any tree.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy_guard.facts.blocks import (
    MODULE_SCOPE,
    BlockResult,
    Body,
    Deferred,
    Definition,
    Env,
    Scope,
    body_of,
    class_scope,
    fill_class,
    merge_notes,
)
from sqlalchemy_guard.facts.declarations import (
    Attribute,
    Binding,
    CallFact,
    ClassFacts,
    Frame,
    FunctionFacts,
    ItemSet,
    Parameter,
)
from sqlalchemy_guard.facts.values import (
    UNKNOWN,
    Attr,
    Await,
    Call,
    ClassName,
    Collected,
    Const,
    Def,
    Either,
    Element,
    Enter,
    Function,
    Item,
    Joined,
    Mapping,
    Operation,
    Param,
    Ref,
    Sequence,
    Star,
    Typed,
    Value,
    either,
    same,
)
from sqlalchemy_guard.facts.walkers import items_of, waits, with_lambda

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy_guard.facts.recording import Recording
    from sqlalchemy_guard.syntax.chunk import Chunk

MAX_LOOP_DEPTH = 2
"""Loops nested deeper run once: each level doubles the work, and types hardly change below."""


class Evaluator:
    """Runs one block of one scope; used once.

    Args:
        scope: Where the block stands.
        chunk: The chunk that its nodes belong to.
        env: The names that are known where it begins.
        globals_: The names that the function declared `global` before.
        shallow: Leave the body of a cut class to the caller, who keeps its parts.

    Attributes:
        recording: What the values of expressions are noted in, if anything.
    """

    recording: ClassVar[Recording | None] = None

    def __init__(
        self,
        scope: Scope,
        chunk: Chunk,
        env: Env,
        globals_: frozenset[str] = frozenset(),
        *,
        shallow: bool = False,
    ) -> None:
        self.scope = scope
        self.chunk = chunk
        self.env = dict(env)
        self.result = BlockResult(env, self.env, globals_in=globals_)
        self.frame = scope.frame
        self.loop_depth = 0
        self.statement: ast.stmt = _NOWHERE
        self.globals: set[str] = set(globals_)
        self.shallow = shallow
        self.dotted = any("." in name for name in env)
        self.conditional = False
        self.waiting: list[ast.Lambda] = []
        self.noted = Evaluator.recording.of(chunk) if Evaluator.recording is not None else None

    def run(self, statements: list[ast.stmt]) -> BlockResult:
        """Evaluate the statements and return the notes."""
        if self.scope.kind == "function":
            self.result.terminated = self.block(statements)
        else:
            # What follows a `raise` of a module may stand in another chunk: it is read wherever it stands.
            for statement in statements:
                self.block((statement,))
        self.result.env_out = self.env
        self.result.globals_out = frozenset(self.globals)
        return self.result

    # -- statements ------------------------------------------------------------------------------------------------

    def block(self, statements: Iterable[ast.stmt]) -> bool:
        """Run statements in order; True when control never reaches the end."""
        for statement in statements:
            self.statement = statement
            run = _STATEMENTS.get(type(statement))
            try:
                if run is not None and run(self, statement):
                    return True
            except RecursionError:
                # An expression nested deeper than Python's own stack: nothing is known of this statement.
                continue
        return False

    def branch(self, kind: str, node: ast.AST, statements: list[ast.stmt], env: Env) -> tuple[Env, bool]:
        """Run an alternative in its own copy of the environment."""
        outer_env, outer_frame, outer_conditional = self.env, self.frame, self.conditional
        self.env, self.frame = dict(env), Frame(kind, node, self.chunk, outer_frame)
        self.conditional = True
        ended = self.block(statements)
        env_out = self.env
        self.env, self.frame, self.conditional = outer_env, outer_frame, outer_conditional
        return env_out, ended

    def _if(self, node: ast.If) -> bool:
        self.value(node.test)
        start = self.env
        then_env = self._narrowed(node.test, start)
        if _is_type_checking(node.test):
            # The names are there for every reader; the `else` is a run-time stand-in.
            outer, self.frame = self.frame, Frame("if", node, self.chunk, self.frame)
            self.block(node.body)
            self.frame = outer
            self.branch("else", node, node.orelse, self.env)
            return False
        then, then_ended = self.branch("if", node, node.body, then_env)
        other, other_ended = self.branch("else", node, node.orelse, start) if node.orelse else (start, False)
        return self._join([(then, then_ended), (other, other_ended)])

    def _join(self, paths: list[tuple[Env, bool]]) -> bool:
        """Continue with what the living paths agree on."""
        living = [env for env, ended in paths if not ended]
        if not living:
            self.env = paths[0][0]
            return True
        self.env = living[0] if len(living) == 1 else _joined(living)
        return False

    def _narrowed(self, test: ast.expr, env: Env) -> Env:
        """The environment in which an `isinstance(name, Class)` test holds."""
        if (
            isinstance(test, ast.Call)
            and isinstance(test.func, ast.Name)
            and test.func.id == "isinstance"
            and len(test.args) == 2
            and isinstance(test.args[0], ast.Name)
            and not isinstance(test.args[1], ast.Tuple)
        ):
            name = test.args[0].id
            before = len(self.result.calls)
            narrowed = {**env, name: Typed(self.value(test.args[1]), env.get(name, UNKNOWN))}
            del self.result.calls[before:]
            return narrowed
        return env

    def _loop(self, kind: str, node: ast.For | ast.AsyncFor | ast.While, bind: Callable[[], None]) -> bool:
        start = dict(self.env)
        mark = self._mark()
        outer_frame, outer_conditional = self.frame, self.conditional
        self.loop_depth += 1
        self.conditional = True
        self.frame = Frame(kind, node, self.chunk, outer_frame)
        bind()
        self.block(node.body)
        changed = [name for name, value in start.items() if self.env.get(name) is not value]
        if changed and self.loop_depth <= MAX_LOOP_DEPTH:
            self._rewind(mark)
            self.env = _joined([start, {name: self.env[name] for name in changed if name in self.env}])
            self.frame = Frame(kind, node, self.chunk, outer_frame)
            bind()
            self.block(node.body)
        self.loop_depth -= 1
        self.frame, self.conditional = outer_frame, outer_conditional
        self.env = _joined([start, self.env])
        if node.orelse:
            after, ended = self.branch("loop-else", node, node.orelse, self.env)
            self._join([(after, ended), (self.env, False)])
        return False

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        element = Element(self.value(node.iter))
        kind = "for" if type(node) is ast.For else "async for"
        return self._loop(kind, node, lambda: self.assign(node.target, element))

    def _while(self, node: ast.While) -> bool:
        self._loop("while", node, lambda: void(self.value(node.test)))
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return endless and not any(isinstance(inner, ast.Break) for inner in ast.walk(node))

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        outer = self.frame
        is_async = type(node) is ast.AsyncWith
        contexts: list[Value] = []
        for item in node.items:
            context = self.value(item.context_expr)
            contexts.append(context)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, Enter(context, is_async))
        self.frame = Frame("async with" if is_async else "with", node, self.chunk, outer, tuple(contexts))
        ended = self.block(node.body)
        self.frame = outer
        return ended

    def _try(self, node: ast.Try) -> bool:
        start = self.env
        body, body_ended = self.branch("try", node, node.body, start)
        if node.orelse and not body_ended:
            body, body_ended = self.branch("try-else", node, node.orelse, body)
        paths = [(body, body_ended)]
        failed = _joined([start, body])
        for handler in node.handlers:
            env = failed
            if handler.type is not None:
                self.value(handler.type)
            if handler.name:
                env = {**failed, handler.name: UNKNOWN}
            paths.append(self.branch("except", handler, handler.body, env))
        ended = self._join(paths)
        if node.finalbody:
            outer, self.frame = self.frame, Frame("finally", node, self.chunk, self.frame)
            ended = self.block(node.finalbody) or ended
            self.frame = outer
        return ended

    def _match(self, node: ast.Match) -> bool:
        subject = self.value(node.subject)
        start = self.env
        paths: list[tuple[Env, bool]] = []
        total = False
        for case in node.cases:
            env = dict(start)
            for pattern in ast.walk(case.pattern):
                if isinstance(pattern, (ast.MatchAs, ast.MatchStar)) and pattern.name:
                    env[pattern.name] = subject if pattern is case.pattern else UNKNOWN
                elif isinstance(pattern, ast.MatchMapping) and pattern.rest:
                    env[pattern.rest] = UNKNOWN
            self.env = env
            if case.guard is not None:
                self.value(case.guard)
            paths.append(self.branch("match", case, case.body, self.env))
            total = total or (
                isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None
            )
        self.env = start
        return self._join(paths if total else [*paths, (start, False)])

    def _expression(self, node: ast.Expr) -> bool:
        self.value(node.value)
        return False

    def _assign(self, node: ast.Assign) -> bool:
        value = self.value(node.value)
        for target in node.targets:
            self.assign(target, value)
        return False

    def _annotated(self, node: ast.AnnAssign) -> bool:
        annotation = self.annotation(node.annotation)
        value = self.value(node.value) if node.value is not None else None
        if isinstance(node.target, ast.Name) and self.scope.kind != "function":
            self.bind(node.target.id, value or UNKNOWN, node, annotation, has_value=value is not None)
        else:
            self.assign(node.target, Typed(annotation, value or UNKNOWN))
        return False

    def _augmented(self, node: ast.AugAssign) -> bool:
        added = self.value(node.value)
        if isinstance(node.target, ast.Name):
            before = self.name(node.target.id)
            total = _sum(before, added) if isinstance(node.op, ast.Add) else None
            if total is not None or self.scope.kind != "class":
                # Bound whatever the values are: how often a module binds a name must not depend on what is known.
                self.bind(node.target.id, total or either((before, added)), node)
        else:
            self.value(node.target)
        return False

    def _return(self, node: ast.Return) -> bool:
        if node.value is not None:
            self.result.returned.append(self.value(node.value))
        return True

    def _raise(self, node: ast.Raise) -> bool:
        for part in (node.exc, node.cause):
            if part is not None:
                self.value(part)
        return True

    def _leave(self, _node: ast.stmt) -> bool:
        return True

    def _assert(self, node: ast.Assert) -> bool:
        self.value(node.test)
        self.env = dict(self._narrowed(node.test, self.env))
        if node.msg is not None:
            self.value(node.msg)
        return False

    def _delete(self, node: ast.Delete) -> bool:
        for target in node.targets:
            if isinstance(target, ast.Name):
                if target.id in self.env:
                    self.env[target.id] = UNKNOWN
            else:
                self.value(target)
        return False

    def _global(self, node: ast.Global | ast.Nonlocal) -> bool:
        if isinstance(node, ast.Global):
            self.globals.update(node.names)
        return False

    def _import(self, node: ast.Import) -> bool:
        for alias in node.names:
            self.result.imports.append(Ref(alias.name, ""))
            if alias.asname:
                self.bind(alias.asname, Ref(alias.name, ""), node)
            else:
                top = alias.name.partition(".")[0]
                self.bind(top, Ref(top, ""), node)
        return False

    def _import_from(self, node: ast.ImportFrom) -> bool:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            self.result.imports.append(Ref(module, alias.name))
            if alias.name == "*":
                if self.scope.kind == "module":
                    self.result.stars.append(Ref(module, "*"))
            else:
                self.bind(alias.asname or alias.name, Ref(module, alias.name), node)
        return False

    def _type_alias(self, node: ast.stmt) -> bool:
        name, value = getattr(node, "name", None), getattr(node, "value", None)
        if isinstance(name, ast.Name) and isinstance(value, ast.expr):
            self.bind(name.id, self.annotation(value), node)
        return False

    # -- definitions -----------------------------------------------------------------------------------------------

    def _function(self, node: Definition) -> bool:
        self.define_function(node, body_of(node, self.chunk))
        return False

    def define_function(self, node: Definition, body: Body) -> FunctionFacts:
        """Note a function, bind its name, and evaluate its body now or when the enclosing function is done."""
        scope = self.scope
        inner = f"{scope.qualname}.<locals>." if scope.kind == "function" else f"{scope.qualname}."
        qualname = (inner if scope.qualname else "") + node.name
        decorators = tuple(self.value(decorator) for decorator in node.decorator_list)
        facts = FunctionFacts(
            qualname=qualname,
            owner=scope.owner if scope.kind == "class" else None,
            header=node,
            chunk=self.chunk,
            is_async=type(node) is ast.AsyncFunctionDef,
            parameters=tuple(self.parameters(node.args)),
            annotation=self.annotation(node.returns) if node.returns is not None else None,
            decorators=decorators,
        )
        self.result.functions.append(facts)
        if scope.kind == "class":
            self.result.methods.append((node.name, qualname))
        else:
            self.bind(node.name, Def(qualname), node)
        deferred = Deferred(facts, body)
        self.result.deferred.append(deferred)
        return facts

    def parameters(self, arguments: ast.arguments) -> Iterable[Parameter]:
        """The parameters in order, with what is known of their annotations and defaults."""
        positional = [*arguments.posonlyargs, *arguments.args]
        missing = len(positional) - len(arguments.defaults)
        for index, arg in enumerate(positional):
            default = arguments.defaults[index - missing] if index >= missing else None
            yield self._parameter(arg, "positional", default)
        if arguments.vararg is not None:
            yield self._parameter(arguments.vararg, "var-positional", None)
        for arg, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False):
            yield self._parameter(arg, "keyword", keyword_default)
        if arguments.kwarg is not None:
            yield self._parameter(arguments.kwarg, "var-keyword", None)

    def _parameter(self, arg: ast.arg, kind: str, default: ast.expr | None) -> Parameter:
        annotation = self.annotation(arg.annotation) if arg.annotation is not None else None
        return Parameter(arg.arg, kind, annotation, self.value(default) if default is not None else None, arg)

    def _class(self, node: ast.ClassDef) -> bool:
        self.define_class(node, body_of(node, self.chunk))
        return False

    def define_class(self, node: ast.ClassDef, body: Body) -> ClassFacts:
        """Note a class, evaluate its body, and bind its name."""
        scope = self.scope
        inner = f"{scope.qualname}.<locals>." if scope.kind == "function" else f"{scope.qualname}."
        qualname = (inner if scope.qualname else "") + node.name
        facts = ClassFacts(
            qualname=qualname,
            header=node,
            chunk=self.chunk,
            bases=tuple(self.value(base) for base in node.bases),
            keywords=tuple((keyword.arg, self.value(keyword.value)) for keyword in node.keywords),
            decorators=tuple(self.value(decorator) for decorator in node.decorator_list),
        )
        self.result.classes.append(facts)
        self.bind(node.name, Def(qualname), node)
        if scope.kind == "class":
            self.result.methods.append((node.name, qualname))
        if body.children is None or not self.shallow:
            closure = self.env if scope.kind == "function" else scope.closure
            inner_scope = class_scope(facts, closure)
            parts = (
                [(self.chunk, body.statements)]
                if body.children is None
                else [(child, child.body) for child in body.children]
            )
            blocks = [Evaluator(inner_scope, part, {}).run(statements) for part, statements in parts]
            for done in blocks:
                finish(done, inner_scope)
            fill_class(facts, blocks)
            for done in blocks:
                merge_notes(self.result, done)
                self.result.calls.extend(done.calls)
        return facts

    # -- binding ---------------------------------------------------------------------------------------------------

    def bind(
        self,
        name: str,
        value: Value,
        node: ast.AST,
        annotation: Value | None = None,
        *,
        has_value: bool = True,
    ) -> None:
        """Bind a name in the scope that is evaluated."""
        kind = self.scope.kind
        if kind == "function":
            if name in self.globals:
                binding = Binding(name, value, annotation, True, node, self.chunk)
                self.result.bindings.append(binding)
            self.env[name] = value
        elif kind == "module":
            binding = Binding(name, value, annotation, self.conditional, node, self.chunk)
            self.result.bindings.append(binding)
            if name in self.env:
                self.env[name] = Typed(annotation, value) if annotation is not None else value
        elif isinstance(node, ast.stmt):
            self.result.attributes.append(
                Attribute(name, annotation, value if has_value else None, node, self.chunk)
            )
        if self.dotted and kind == "function":
            prefix = name + "."
            for stale in [key for key in self.env if key.startswith(prefix)]:
                del self.env[stale]

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind whatever a target binds."""
        if isinstance(target, ast.Name):
            self.bind(target.id, value, self.statement)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Attribute):
            base = self.value(target.value)
            annotation, stored = (value.annotation, value.value) if type(value) is Typed else (None, value)
            self.result.attribute_sets.append((base, target.attr, annotation, stored))
            if isinstance(target.value, ast.Name) and self.scope.kind == "function":
                self.env[f"{target.value.id}.{target.attr}"] = value
                self.dotted = True
        elif isinstance(target, ast.Starred):
            self.assign(target.value, Collected("list", Element(value)))
        elif isinstance(target, ast.Subscript):
            base, key = self.value(target.value), self.value(target.slice)
            self.result.item_sets.append(
                ItemSet(base, key, value, self.statement, self.chunk, self.scope.function)
            )

    def _unpack(self, targets: list[ast.expr], value: Value) -> None:
        starred = next((i for i, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
        items: tuple[Value, ...] | None = None
        if type(value) is Sequence and value.kind != "set" and len(value.items) == len(targets):
            if not any(type(item) is Star for item in value.items):
                items = value.items
        for index, target in enumerate(targets):
            if starred is not None and index >= starred:
                element: Value = Element(value)
                if isinstance(target, ast.Starred):
                    target, element = target.value, Collected("list", element)
                self.assign(target, element)
            else:
                self.assign(target, items[index] if items else Item(value, Const(index)))

    def _mark(self) -> tuple[int, ...]:
        result = self.result
        return tuple(len(getattr(result, name)) for name in _REWOUND)

    def _rewind(self, mark: tuple[int, ...]) -> None:
        for name, length in zip(_REWOUND, mark, strict=True):
            del getattr(self.result, name)[length:]

    # -- expressions -----------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> Value:
        """The symbolic value of an expression; calls inside are noted."""
        run = _EXPRESSIONS.get(type(node))
        value: Value = run(self, node) if run is not None else UNKNOWN
        return value if self.noted is None else self.noted.note(node, value)

    def annotation(self, node: ast.expr) -> Value:
        """An annotation; a string is read as the expression it spells."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return self.quoted(node.value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return either((self.annotation(node.left), self.annotation(node.right)))
        if isinstance(node, ast.Subscript):
            base = self.value(node.value)
            inner = node.slice
            if isinstance(inner, ast.Tuple):
                return Item(base, Sequence("tuple", tuple(self.annotation(item) for item in inner.elts)))
            return Item(base, self.annotation(inner))
        if isinstance(node, ast.List):
            return Sequence("list", tuple(self.annotation(item) for item in node.elts))
        return self.value(node)

    def quoted(self, text: str) -> Value:
        """A forward reference."""
        try:
            parsed = ast.parse(text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return Const(text)
        calls = len(self.result.calls)
        value = self.annotation(parsed.body)
        del self.result.calls[calls:]
        return value

    def name(self, name: str) -> Value:
        """What a name stands for here."""
        scope = self.scope
        if scope.kind == "module":
            # Noted even where the environment answers: what is read must not depend on what was known.
            self.result.reads.add(name)
        value = self.env.get(name)
        if value is not None:
            return value
        if name in scope.closure and name not in self.globals:
            return scope.closure[name]
        if scope.kind == "class":
            return ClassName(scope.qualname, name)
        return Ref("", name)

    def _name(self, node: ast.Name) -> Value:
        return self.name(node.id)

    def _constant(self, node: ast.Constant) -> Value:
        return Const(node.value)

    def _attribute(self, node: ast.Attribute) -> Value:
        base = node.value
        self.result.attribute_names.add(node.attr)
        if self.dotted and isinstance(base, ast.Name):
            known = self.env.get(f"{base.id}.{node.attr}")
            if known is not None:
                return known
        return Attr(self.value(base), node.attr)

    def _call(self, node: ast.Call) -> Value:
        func = self.value(node.func)
        args = tuple([self.value(arg) for arg in node.args])
        keywords = tuple([(keyword.arg, self.value(keyword.value)) for keyword in node.keywords])
        value = Call(func, args, keywords)
        if self.waiting and (items := items_of(node, value, self.waiting[-1])):
            value = with_lambda(node, value, self.waiting[-1], self._lambda(self.waiting.pop(), items))
        if self.noted is not None:
            value = self.noted.note(node, value)
        self.result.calls.append(
            CallFact(value, node, self.chunk, self.statement, self.frame, self.scope.function)
        )
        return value

    def _starred(self, node: ast.Starred) -> Value:
        return Star(self.value(node.value))

    def _subscript(self, node: ast.Subscript) -> Value:
        return Item(self.value(node.value), self.value(node.slice))

    def _slice(self, node: ast.Slice) -> Value:
        parts = [self.value(part) for part in (node.lower, node.upper, node.step) if part is not None]
        return Operation("slice", tuple(parts))

    def _await(self, node: ast.Await) -> Value:
        base = self.value(node.value)
        if isinstance(node.value, ast.Call) and self.result.calls:
            self.result.calls[-1].awaited = True
        return Await(base)

    def _bool(self, node: ast.BoolOp) -> Value:
        values = [self.value(part) for part in node.values]
        return either(values) if isinstance(node.op, ast.Or) else values[-1]

    def _conditional(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return either((self.value(node.body), self.value(node.orelse)))

    def _binary(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Mod) and (type(left) is Joined or _is_text(left)):
            return Joined("%", (left, right))
        total = _sum(left, right) if isinstance(node.op, ast.Add) else None
        return total or Operation(type(node.op).__name__, (left, right))

    def _compare(self, node: ast.Compare) -> Value:
        operands = (self.value(node.left), *[self.value(part) for part in node.comparators])
        return Operation(type(node.ops[0]).__name__, operands)

    def _unary(self, node: ast.UnaryOp) -> Value:
        operand = self.value(node.operand)
        if (
            isinstance(node.op, ast.USub)
            and type(operand) is Const
            and isinstance(operand.value, (int, float))
        ):
            return Const(-operand.value)
        return Operation(type(node.op).__name__, (operand,))

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        return Sequence(type(node).__name__.lower(), tuple([self.value(item) for item in node.elts]))

    def _dict(self, node: ast.Dict) -> Value:
        return Mapping(
            tuple(
                (self.value(key) if key is not None else None, self.value(item))
                for key, item in zip(node.keys, node.values, strict=True)
            )
        )

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        outer_env, outer_frame = self.env, self.frame
        self.env = dict(self.env)
        for generator in node.generators:
            iterated = self.value(generator.iter)
            self.frame = Frame("comprehension", node, self.chunk, self.frame)
            self._assign_local(generator.target, Element(iterated))
            for condition in generator.ifs:
                self.value(condition)
        if isinstance(node, ast.DictComp):
            self.value(node.key)
            element = self.value(node.value)
        else:
            element = self.value(node.elt)
        self.env, self.frame = outer_env, outer_frame
        return Collected(_COMPREHENSIONS[type(node)], element)

    def _assign_local(self, target: ast.expr, value: Value) -> None:
        """Bind a comprehension's own variables, which no other scope sees."""
        if isinstance(target, ast.Name):
            self.env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for index, item in enumerate(target.elts):
                self._assign_local(item, Item(value, Const(index)))
        elif isinstance(target, ast.Starred):
            self._assign_local(target.value, UNKNOWN)

    def _lambda(self, node: ast.Lambda, items: Env | None = None) -> Value:
        if items is None and waits(node, self.chunk):
            self.waiting.append(node)
            return UNKNOWN
        outer_env, outer_frame = self.env, self.frame
        self.env, self.frame = dict(self.env), Frame("lambda", node, self.chunk, self.frame)
        for parameter in self.parameters(node.args):
            self.env[parameter.name] = UNKNOWN
        self.env.update(items or {})
        result = self.value(node.body)
        self.env, self.frame = outer_env, outer_frame
        if items and self.noted is not None:
            self.noted.note(node, Function(result))
        return Function(result)

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        if isinstance(node.target, ast.Name):
            self.bind(node.target.id, value, self.statement)
        return value

    def _formatted(self, node: ast.JoinedStr) -> Value:
        parts = [
            self.value(part.value) if isinstance(part, ast.FormattedValue) else self.value(part)
            for part in node.values
        ]
        return Joined("f-string", tuple(parts)) if any(type(p) is not Const for p in parts) else _text(parts)

    def _yield(self, node: ast.Yield) -> Value:
        self.result.yielded.append(self.value(node.value) if node.value is not None else Const(None))
        return UNKNOWN

    def _yield_from(self, node: ast.YieldFrom) -> Value:
        self.result.yielded.append(Element(self.value(node.value)))
        return UNKNOWN


def finish(result: BlockResult, scope: Scope) -> None:
    """Evaluate the functions that a block of a module or class defines, now that the block is done."""
    for deferred in result.deferred:
        merge_notes(result, complete_function(deferred, scope.closure))
    result.deferred.clear()


def complete_function(deferred: Deferred, closure: Env) -> BlockResult:
    """Evaluate a function's body (and the functions inside) and write what it returns, yields and calls into its facts.

    The result of a cut function's chunks is kept on the chunks and taken again while their incoming names are the same.
    """
    if deferred.done is not None and same(deferred.closure, closure):
        return deferred.done
    facts = deferred.facts
    frame = Frame("function", facts.header, facts.chunk, None)
    scope = Scope("function", facts.qualname, facts, facts.owner, closure, frame)
    env: Env = {parameter.name: Param(facts.qualname, parameter.name) for parameter in facts.parameters}
    blocks: list[BlockResult] = []
    if deferred.body.children is None:
        blocks.append(Evaluator(scope, deferred.body.chunk, env).run(deferred.body.statements))
    else:
        globals_: frozenset[str] = frozenset()
        for child in deferred.body.children:
            block = run_chunk(child, scope, env, globals_)
            blocks.append(block)
            env, globals_ = block.env_out, block.globals_out
            if block.terminated:
                break
    final = blocks[-1].env_out if blocks else env
    total = BlockResult({}, final)
    for block in blocks:
        merge_notes(total, block)
        total.calls.extend(block.calls)
        total.returned.extend(block.returned)
        total.yielded.extend(block.yielded)
    facts.call_facts = list(total.calls)
    facts.returned = either(total.returned) if total.returned else None
    facts.yielded = either(total.yielded) if total.yielded else None
    facts.nested = [nested.facts.qualname for block in blocks for nested in block.deferred]
    inner = {**closure, **final}
    for block in blocks:
        for nested in block.deferred:
            merge_notes(total, complete_function(nested, inner))
    deferred.closure, deferred.done = closure, total
    return total


def run_chunk(chunk: Chunk, scope: Scope, env: Env, globals_: frozenset[str]) -> BlockResult:
    """Run a chunk of a cut function, or take what an earlier run with the same incoming names gave."""
    kept = chunk.memo
    if (
        isinstance(kept, tuple)
        and not chunk.stale
        and kept[0] is scope.function
        and kept[1].globals_in == globals_
        and same(kept[1].env_in, env)
        and same(kept[2], scope.closure)
    ):
        block: BlockResult = kept[1]
        return block
    if Evaluator.recording is not None:
        Evaluator.recording.begin(chunk)
    block = Evaluator(scope, chunk, env, globals_).run(chunk.body)
    chunk.memo = (scope.function, block, scope.closure)
    chunk.stale = False
    return block


def void(_value: Value) -> None:
    """Evaluate for the notes alone."""


def _joined(envs: list[Env]) -> Env:
    """The join of environments; a name bound on some paths only keeps what those paths say."""
    first = envs[0]
    result = dict(first)
    for env in envs[1:]:
        for name, value in env.items():
            known = result.get(name)
            if known is None:
                result[name] = value
            elif known is not value:
                result[name] = either((known, value))
    return result


def _sum(left: Value, right: Value) -> Value | None:
    """What `left + right` is where that is text or a display, else None."""
    if type(left) is Joined or type(right) is Joined or _is_text(left) or _is_text(right):
        return Joined("+", (left, right))
    if type(left) is Sequence and type(right) is Sequence and left.kind == right.kind:
        return Sequence(left.kind, left.items + right.items)
    return None


def _is_text(value: Value) -> bool:
    return type(value) is Const and isinstance(value.value, (str, bytes))


def _text(parts: list[Value]) -> Value:
    return Const("".join(str(part.value) for part in parts if type(part) is Const))


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


_NOWHERE = ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)
_REWOUND = (
    "bindings",
    "stars",
    "imports",
    "attribute_sets",
    "calls",
    "item_sets",
    "returned",
    "yielded",
    "deferred",
    "functions",
    "classes",
    "attributes",
    "methods",
)
_COMPREHENSIONS = {
    ast.ListComp: "list",
    ast.SetComp: "set",
    ast.GeneratorExp: "generator",
    ast.DictComp: "dict",
}

_STATEMENTS: dict[type[ast.AST], Callable[..., bool]] = {
    ast.If: Evaluator._if,
    ast.For: Evaluator._for,
    ast.AsyncFor: Evaluator._for,
    ast.While: Evaluator._while,
    ast.With: Evaluator._with,
    ast.AsyncWith: Evaluator._with,
    ast.Try: Evaluator._try,
    ast.TryStar: Evaluator._try,
    ast.Match: Evaluator._match,
    ast.Expr: Evaluator._expression,
    ast.Assign: Evaluator._assign,
    ast.AnnAssign: Evaluator._annotated,
    ast.AugAssign: Evaluator._augmented,
    ast.Return: Evaluator._return,
    ast.Raise: Evaluator._raise,
    ast.Continue: Evaluator._leave,
    ast.Break: Evaluator._leave,
    ast.Assert: Evaluator._assert,
    ast.Delete: Evaluator._delete,
    ast.Global: Evaluator._global,
    ast.Nonlocal: Evaluator._global,
    ast.Import: Evaluator._import,
    ast.ImportFrom: Evaluator._import_from,
    ast.FunctionDef: Evaluator._function,
    ast.AsyncFunctionDef: Evaluator._function,
    ast.ClassDef: Evaluator._class,
}
if hasattr(ast, "TypeAlias"):
    _STATEMENTS[ast.TypeAlias] = Evaluator._type_alias

_EXPRESSIONS: dict[type[ast.AST], Callable[..., Value]] = {
    ast.Name: Evaluator._name,
    ast.Constant: Evaluator._constant,
    ast.Attribute: Evaluator._attribute,
    ast.Call: Evaluator._call,
    ast.Starred: Evaluator._starred,
    ast.Subscript: Evaluator._subscript,
    ast.Slice: Evaluator._slice,
    ast.Await: Evaluator._await,
    ast.BoolOp: Evaluator._bool,
    ast.IfExp: Evaluator._conditional,
    ast.BinOp: Evaluator._binary,
    ast.Compare: Evaluator._compare,
    ast.UnaryOp: Evaluator._unary,
    ast.List: Evaluator._display,
    ast.Tuple: Evaluator._display,
    ast.Set: Evaluator._display,
    ast.Dict: Evaluator._dict,
    ast.ListComp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.DictComp: Evaluator._comprehension,
    ast.Lambda: Evaluator._lambda,
    ast.NamedExpr: Evaluator._named,
    ast.JoinedStr: Evaluator._formatted,
    ast.Yield: Evaluator._yield,
    ast.YieldFrom: Evaluator._yield_from,
}

__all__ = [
    "MODULE_SCOPE",
    "BlockResult",
    "Body",
    "Deferred",
    "Either",
    "Evaluator",
    "Scope",
    "body_of",
    "class_scope",
    "complete_function",
    "fill_class",
    "finish",
    "merge_notes",
    "run_chunk",
]
