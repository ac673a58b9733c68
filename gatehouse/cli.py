"""The command line: a few lines over functions that take data and return data.

Exit codes: 0 all is well, 1 a verdict is bad or a step failed, 2 bad input or usage. What a command needs is
imported inside it, so that ``--help`` and a typing mistake answer at once.
"""
# ruff: noqa: PLC0415

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gatehouse.access_cli import access
from gatehouse.cli_errors import errors_explained as _errors_explained

if TYPE_CHECKING:
    from gatehouse.scan.gate import Verdict
    from gatehouse.scan.waivers import Placed
    from gatehouse.synth import Synthesis

app = typer.Typer(
    name="gatehouse",
    help="MLflow on AWS with access control that can be proved before anything is deployed.",
    epilog="Exit codes: 0 all is well, 1 a verdict is bad or a step failed, 2 bad input or usage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

catalogue = typer.Typer(
    help="The routes of MLflow and the capability that each one needs.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(catalogue, name="catalogue")

app.add_typer(access, name="access")

MlflowPython = Annotated[
    Path,
    typer.Option(
        "--mlflow-python", metavar="PATH", help="The Python that has MLflow, such as .venv-server/bin/python."
    ),
]
Environments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ENV", help="Environments by name; all of environments/ if none.", show_default=False
    ),
]


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the environment, such as staging.")],
    project: Annotated[str, typer.Option(help="First part of every name.")] = "mlflow",
    region: Annotated[str, typer.Option(help="AWS region.")] = "eu-west-1",
    private: Annotated[
        bool, typer.Option("--private", help="A private API and no route to the internet.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write a commented environment file, environments/NAME.yaml."""
    with _errors_explained():
        from gatehouse.environment_file import ENVIRONMENTS
        from gatehouse.starter import write_starter

        path = write_starter(ENVIRONMENTS, name, project=project, region=region, private=private, force=force)
        typer.echo(f"{path} written. Edit it, then run: gatehouse check {name}")


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if not given.")
    ] = None,
) -> None:
    """Write the JSON Schema of environment files, for editors."""
    with _errors_explained():
        from gatehouse.files import write_atomic
        from gatehouse.settings import json_schema_text

        if output is None:
            typer.echo(json_schema_text(), nl=False)
        else:
            write_atomic(output, json_schema_text().encode())
            typer.echo(f"{output} written.")


@app.command()
def synth(environments: Environments = None) -> None:
    """Turn environment files into Terraform JSON.

    Each becomes cdktf.out/stacks/ENV/cdk.tf.json; a failure leaves the previous output as it was.
    """
    with _errors_explained():
        from gatehouse.synth import synthesize

        _print_synthesis(synthesize(environments))


@app.command()
def check(
    environments: Environments = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail also if a check could not run, or if Terraform warns (for CI)."),
    ] = False,
) -> None:
    """Synthesize, scan, prove, validate, and print what was made.

    Scans as "gatehouse scan" does, proves as "gatehouse access prove" and "gatehouse network" do. Validates with the
    terraform on the PATH; without one, or without the provider, that is not run.
    """
    with _errors_explained():
        from gatehouse import steps
        from gatehouse.report import console, print_step, print_validation, print_verdicts
        from gatehouse.synth import synthesize
        from gatehouse.terraform import acceptable, validate

        synthesis = synthesize(environments)
        _print_synthesis(synthesis)
        scanned = _judged(synthesis.documents)
        print_verdicts(console(), scanned)
        proved = [judge(name) for name in synthesis.documents for judge in steps.STEPS]
        for step in proved:
            print_step(console(), step)
        verdicts = []
        for name, path in synthesis.documents.items():
            verdicts.append(validate(name, path))
            print_validation(console(), name, verdicts[-1])  # at once: each takes seconds
        sound = all(one.sound for one in scanned) and all(one.sound for one in proved)
        if not sound or not all(acceptable(verdict, strict=strict) for verdict in verdicts):
            raise typer.Exit(1)


@app.command()
def scan(
    environments: Environments = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan", metavar="JSON", help="A plan of the one environment, from terraform show -json."
        ),
    ] = None,
    output_format: Annotated[
        Literal["table", "json", "sarif", "junit", "markdown"],
        typer.Option("--format", "-f", help="How to write the verdict."),
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if not given.")
    ] = None,
) -> None:
    """Judge what was synthesized: all checks of Checkov, and our own, less what waivers.yaml accepts.

    With a plan, that as well, where variables and defaults have their values.
    Ends with 1 if anything is wrong, with 2 if there is no verdict.
    """
    with _errors_explained():
        from gatehouse.environment_file import ENVIRONMENTS, load_environments
        from gatehouse.files import write_atomic
        from gatehouse.inputs import check_current
        from gatehouse.report import console, print_verdicts, verdicts_as_text
        from gatehouse.scan.outputs import WRITERS
        from gatehouse.synth import document_path

        names = [one.environment for one in load_environments(ENVIRONMENTS, environments)]
        documents = {name: document_path(name) for name in names}
        for name, document in documents.items():
            check_current(document, name)
        if plan is not None and len(names) > 1:
            raise typer.BadParameter("a plan is that of one environment. Fix: name it", param_hint="--plan")
        verdicts = _judged(documents, {} if plan is None else {names[0]: plan})
        write = WRITERS.get(output_format, verdicts_as_text)
        if output is not None:
            write_atomic(output, write(verdicts).encode())
        if output is not None or output_format == "table":
            print_verdicts(console(), verdicts)
        else:
            typer.echo(write(verdicts), nl=False)
        if not all(one.sound for one in verdicts):
            raise typer.Exit(1)


@app.command()
def explain(
    check: Annotated[str, typer.Argument(metavar="ID", help="A check, such as GH901 or CKV_AWS_18.")],
) -> None:
    """Say what a check looks for, why, and how to mend what it finds."""
    with _errors_explained():
        from gatehouse.report import console, print_explanation
        from gatehouse.scan.explanation import explanation

        print_explanation(console(), *explanation(check))


@app.command()
def network(
    environment: Annotated[
        str,
        typer.Argument(
            metavar="ENV", help="An environment that was synthesized, or a document or plan as JSON."
        ),
    ],
    output_format: Annotated[
        Literal["table", "json", "svg", "mermaid", "markdown"],
        typer.Option("--format", "-f", help="How to write it; svg and mermaid are pictures."),
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; standard output if not given.")
    ] = None,
    no_egress: Annotated[
        bool,
        typer.Option(
            "--no-egress", help="Nothing may lead out of the VPC; asked of itself without NAT gateways."
        ),
    ] = False,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="Account of the stack, 12 digits.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="Region, if not that of the file.")
    ] = None,
    variables: Annotated[
        list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a Terraform variable.")
    ] = None,
) -> None:
    """Prove who can open a connection to whom, from groups, routes, network ACLs and endpoints.

    Ends with 1 if anything is reached that must not be, with 2 if there is no verdict.
    """
    with _errors_explained():
        from gatehouse.files import write_atomic
        from gatehouse.named_document import read_named
        from gatehouse.reachability.report import print_report, report_on, written
        from gatehouse.report import console

        document = read_named(environment, account=account, region=region, variables=variables or ())
        report = report_on(document, no_egress=no_egress)
        if output is not None:
            write_atomic(output, written(report, output_format).encode())
        if output is not None or output_format == "table":
            print_report(console(), report)
        else:
            typer.echo(written(report, output_format), nl=False)
        if not report.sound:
            raise typer.Exit(1)


@app.command()
def waivers() -> None:
    """Print the findings that waivers.yaml accepts as a Markdown table, for a README."""
    with _errors_explained():
        from gatehouse.scan.outputs import waiver_table

        typer.echo(waiver_table(_waivers(_today())), nl=False)


@catalogue.callback()
def catalogue_summary(context: typer.Context) -> None:
    """Print how many routes each capability opens, for every MLflow version that has a catalogue."""
    if context.invoked_subcommand is not None:
        return
    with _errors_explained():
        from gatehouse.catalogue import shipped
        from gatehouse.report import console, print_catalogues

        print_catalogues(console(), [shipped.load(version) for version in shipped.versions()])


@catalogue.command("build")
def catalogue_build(
    mlflow_python: MlflowPython,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write; that of the version if not given.", show_default=False
        ),
    ] = None,
) -> None:
    """Write the catalogue of an installed MLflow.

    Fails, and writes nothing, if a route has no capability or more than one.
    """
    with _errors_explained():
        from gatehouse.catalogue import shipped
        from gatehouse.catalogue.installed import build
        from gatehouse.files import write_atomic
        from gatehouse.report import console, print_catalogues

        built = build(mlflow_python)
        path = output or shipped.path_of(built.mlflow_version)
        write_atomic(path, shipped.text_of(built).encode())
        print_catalogues(console(), [built])
        typer.echo(f"\n{path} written.")


@catalogue.command("check")
def catalogue_check(mlflow_python: MlflowPython) -> None:
    """Compare the shipped catalogue with an installed MLflow and with the rules."""
    with _errors_explained():
        from gatehouse.catalogue.installed import build, check

        built = build(mlflow_python)
        check(built)
        typer.echo(f"MLflow {built.mlflow_version}: {len(built)} routes, all as in the catalogue.")


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    app()


def _print_synthesis(synthesis: Synthesis) -> None:
    from gatehouse.report import console, print_documents, print_resources
    from gatehouse.summary import summarize

    summaries = [summarize(name, path) for name, path in synthesis.documents.items()]
    out = console()
    print_resources(out, summaries)
    print_documents(out, summaries, synthesis.seconds)


def _judged(documents: Mapping[str, Path], plans: Mapping[str, Path] | None = None) -> tuple[Verdict, ...]:
    """Return the verdict on each document as of today, by the waivers of the project in the current folder."""
    from gatehouse.scan import gate

    today = _today()
    return gate.judge_documents(documents, _waivers(today), today, plans=plans or {})


def _waivers(today: date) -> tuple[Placed, ...]:
    from gatehouse.environment_file import ENVIRONMENTS, environment_names
    from gatehouse.scan.waivers import WAIVERS, load_waivers

    return load_waivers(WAIVERS, environment_names(ENVIRONMENTS), today)


def _today() -> date:
    return datetime.now(UTC).date()
