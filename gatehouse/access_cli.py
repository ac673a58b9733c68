"""``gatehouse access``: the commands that ask who can do what.

Exit codes as in :mod:`gatehouse.cli`; an answer is 0, whichever it is. What a command needs is imported inside it.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gatehouse.cli_errors import errors_explained

if TYPE_CHECKING:
    from gatehouse.access.answers import Wish
    from gatehouse.access.context import ContextValue
    from gatehouse.access.invariants import Proof
    from gatehouse.access.situations import Situation
    from gatehouse.access.world import World

access = typer.Typer(
    help="Who can do what, as AWS decides it from the policies.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Environment = Annotated[
    str,
    typer.Argument(
        metavar="ENV", help="An environment that was synthesized, or a file: cdk.tf.json or a plan as JSON."
    ),
]
Account = Annotated[
    str | None, typer.Option(metavar="ID", help="Account of the stack, 12 digits, if ARNs are to have it.")
]
Region = Annotated[str | None, typer.Option(metavar="NAME", help="Region; that of the file if not given.")]
Variables = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a Terraform variable.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="File to write; standard output if not given.")
]
Do = Annotated[
    str,
    typer.Option(
        "--do",
        metavar="WHAT",
        help="A capability such as registry:delete, or an action such as s3:GetObject.",
    ),
]
On = Annotated[str | None, typer.Option("--on", metavar="ARN", help="What an action is on.")]
ContextKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--context", metavar="KEY=VALUE", help="A condition key of the request; again for more values."
    ),
]
NoMfa = Annotated[bool, typer.Option("--no-mfa", help="Without a second factor.")]
NoTls = Annotated[bool, typer.Option("--no-tls", help="Without encryption on the way.")]
NoTag = Annotated[bool, typer.Option("--no-tag", help="Without the tag that names the team.")]
Outside = Annotated[bool, typer.Option("--outside", help="From outside the network that policies name.")]
Answers = Annotated[Literal["text", "json"], typer.Option("--format", "-f", help="How to write the answer.")]


@access.command("evaluate")
def access_evaluate(
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of a case and of its answer instead.")
    ] = False,
) -> None:
    """Decide cases from standard input, a JSON object a line; one answer a line, in the same order.

    A line that cannot be decided is answered with an error.
    """
    with errors_explained():
        from gatehouse.access.cases import answers
        from gatehouse.access.schema import schema_text

        if schema:
            typer.echo(schema_text(), nl=False)
            return
        if isinstance(sys.stdin, io.TextIOWrapper):
            # What is not UTF-8 makes its own line no JSON, and stops no other.
            sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")
        for line in answers(sys.stdin):
            typer.echo(line)


@access.command("matrix")
def access_matrix(
    environment: Environment,
    output_format: Annotated[
        Literal["table", "json", "csv", "markdown", "html"],
        typer.Option("--format", "-f", help="How to write the matrix."),
    ] = "table",
    output: Output = None,
    account: Account = None,
    region: Region = None,
    var: Variables = None,
) -> None:
    """Print who can do what: in own team, another, without tag, MFA or TLS, and from outside the network."""
    with errors_explained():
        from gatehouse.access.matrix import matrix
        from gatehouse.access.matrix_outputs import WRITERS

        world = _world(environment, account, region, var)
        _write(WRITERS[output_format](matrix(world)), output)


@access.command("why")
def access_why(
    environment: Environment,
    who: Annotated[
        str, typer.Option("--as", metavar="WHO", help="A persona, or the name or ARN of a role or user.")
    ],
    do: Do,
    on: On = None,
    team: Annotated[str | None, typer.Option(metavar="TEAM", help="Of which team they are.")] = None,
    where: Annotated[
        str | None,
        typer.Option("--in", metavar="TEAM", help="Whose data it is about; their own if not given."),
    ] = None,
    context: ContextKeys = None,
    no_mfa: NoMfa = False,
    no_tls: NoTls = False,
    no_tag: NoTag = False,
    outside: Outside = False,
    answer_format: Answers = "text",
    output: Output = None,
    account: Account = None,
    region: Region = None,
    var: Variables = None,
) -> None:
    """Say whether somebody can do something, and which statements decide it."""
    with errors_explained():
        from gatehouse.access import answer_outputs
        from gatehouse.access.answers import why
        from gatehouse.access.matrix import Asker

        wish, situation = _wish(do, on, context), _situation(no_mfa, no_tls, no_tag, outside)
        world = _world(environment, account, region, var)
        answer = why(Asker(world), who, wish, team=team, where=where, situation=situation)
        if answer_format == "json":
            _write(answer_outputs.answers_json(world, [answer]), output)
        else:
            _write(answer_outputs.why_text(world, answer), output)


@access.command("who-can")
def access_who_can(
    environment: Environment,
    do: Do,
    on: On = None,
    team: Annotated[
        str | None, typer.Option(metavar="TEAM", help="Whose data it is about; everybody's own if not given.")
    ] = None,
    context: ContextKeys = None,
    no_mfa: NoMfa = False,
    no_tls: NoTls = False,
    no_tag: NoTag = False,
    outside: Outside = False,
    answer_format: Answers = "text",
    output: Output = None,
    account: Account = None,
    region: Region = None,
    var: Variables = None,
) -> None:
    """Say who can do something, who cannot, and which statements decide it."""
    with errors_explained():
        from gatehouse.access import answer_outputs
        from gatehouse.access.answers import who_can
        from gatehouse.access.matrix import Asker

        wish, situation = _wish(do, on, context), _situation(no_mfa, no_tls, no_tag, outside)
        world = _world(environment, account, region, var)
        answers = who_can(Asker(world), wish, team=team, situation=situation)
        write = answer_outputs.answers_json if answer_format == "json" else answer_outputs.who_can_text
        _write(write(world, answers), output)


@access.command("prove")
def access_prove(
    environment: Environment,
    output_format: Annotated[
        Literal["table", "json", "markdown"],
        typer.Option("--format", "-f", help="How to write the verdicts."),
    ] = "table",
    output: Output = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="This invariant alone; again for more.")
    ] = None,
    account: Account = None,
    region: Region = None,
    var: Variables = None,
) -> None:
    """Prove what nobody can do, for all teams, or show a request that might be allowed.

    Of an environment by its name, what its file says of access is proved as well. Ends with 1 if an invariant might
    not hold, with 2 if there is no verdict.
    """
    with errors_explained():
        from gatehouse.access.invariants import Outcome
        from gatehouse.access.invariants.outputs import WRITERS
        from gatehouse.inputs import check_current
        from gatehouse.named_document import names_file
        from gatehouse.synth import document_path

        if not names_file(environment):
            check_current(document_path(environment), environment)
        world = _world(environment, account, region, var)
        proofs = proofs_of(world, None if names_file(environment) else environment, only or ())
        _write(WRITERS[output_format](world.document.name, proofs), output)
        if any(one.outcome is Outcome.FAIL for one in proofs):
            raise typer.Exit(1)


@access.command("diff")
def access_diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="A file, a folder such as cdktf.out, or a git revision.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same; git:REV if a file has that name too.")],
    environment: Annotated[
        str | None, typer.Option("--env", metavar="ENV", help="Which environment, where there are several.")
    ] = None,
    approvals: Annotated[
        Path | None,
        typer.Option(
            help="New access that is approved; access-approvals.yaml if there is one.", show_default=False
        ),
    ] = None,
    output_format: Annotated[
        Literal["table", "json", "markdown"],
        typer.Option("--format", "-f", help="How to write the changes."),
    ] = "table",
    output: Output = None,
    account: Account = None,
    region: Region = None,
    var: Variables = None,
) -> None:
    """Show new and lost access of every principal, each by a request that one allows and the other does not.

    Of a git revision the environment is synthesized anew, by the code of that revision. Ends with 1 if new access is
    not approved or an approval is not in order, with 2 if there is no verdict.
    """
    with errors_explained():
        from gatehouse.access.diff.outputs import WRITERS
        from gatehouse.access_comparison import compared

        report = compared(
            old,
            new,
            environment,
            approvals,
            datetime.now(UTC).date(),
            lambda path: _world(path, account, region, var),
        )
        _write(WRITERS[output_format](report), output)
        if not report.judged.sound:
            raise typer.Exit(1)


def proofs_of(world: World, environment: str | None, only: Sequence[str] = ()) -> tuple[Proof, ...]:
    """Return the verdicts on a world; with the name of its environment, on what its file says as well.

    Raises:
        InputError: the environment file or the document has mistakes, or there is no such invariant.
        ProofError: there is no verdict.

    """
    from gatehouse.access.invariants import prove

    if environment is None:
        return prove(world, only=only)
    from gatehouse.declared import declared, meaning
    from gatehouse.environment_file import ENVIRONMENTS, load_environments

    (settings,) = load_environments(ENVIRONMENTS, [environment])
    return prove(world, declared(settings), only=only, meaning=meaning(settings, ENVIRONMENTS, world))


def _world(
    environment: str, account: str | None, region: str | None, variables: Sequence[str] | None
) -> World:
    """Return the world of an environment's document, or of that in a file."""
    from gatehouse.access.world import World
    from gatehouse.named_document import read_named

    return World.of(read_named(environment, account=account, region=region, variables=variables or ()))


def _wish(do: str, on: str | None, context: Sequence[str] | None) -> Wish:
    from gatehouse.access.answers import Wish

    keys: dict[str, ContextValue] = {
        key: values if len(values) > 1 else values[0] for key, values in _pairs("--context", context).items()
    }
    wish = Wish(do, on, keys)
    if wish.is_action:
        _check_action(do)
    return wish


def _check_action(action: str) -> None:
    """Refuse an action that AWS does not have: that nobody may do it would say nothing."""
    from gatehouse.personas.actions import actions_named, closest_action, has_wildcard

    if has_wildcard(action):
        raise _refused("--do", action, "is a pattern", "one action")
    if ":" not in action or not actions_named(action):
        raise _refused(
            "--do", action, "is no action of AWS", closest_action(action) or "such as s3:GetObject"
        )


def _situation(no_mfa: bool, no_tls: bool, no_tag: bool, outside: bool) -> Situation:
    from gatehouse.access.situations import Situation

    return Situation(
        "asked", "as asked", tagged=not no_tag, mfa=not no_mfa, tls=not no_tls, inside=not outside
    )


def _pairs(option: str, listed: Sequence[str] | None) -> Mapping[str, list[str]]:
    """Return what was given as NAME=VALUE, values by name."""
    found: dict[str, list[str]] = {}
    for text in listed or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise _refused(option, text, "is not NAME=VALUE", "such as aws:SourceIp=198.51.100.7")
        found.setdefault(name, []).append(value)
    return found


def _refused(option: str, value: str, problem: str, fix: str) -> Exception:
    from gatehouse.errors import InputError, Problem

    return InputError([Problem("gatehouse access", problem, fix, field=option, value=value)])


def _write(text: str, output: Path | None) -> None:
    from gatehouse.files import write_atomic

    if output is None:
        typer.echo(text, nl=False)
    else:
        write_atomic(output, text.encode())
        typer.echo(f"{output} written.")
