"""Random policies and requests about few things, so that they meet, for comparing the prover with the evaluator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import z3

from gatehouse.access import Policies, Principal, Request, Resource
from gatehouse.access.proof import Question, Symbol, Who, text
from gatehouse.access.proof.encoding import Encoding

ACCOUNT, OTHER = "111122223333", "444455556666"
BUCKET = "arn:aws:s3:::data"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ml/analyst"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/anna"
TARGET = f"arn:aws:iam::{ACCOUNT}:role/target"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"

PRINCIPALS = (
    Principal(ROLE, ACCOUNT, SESSION),
    Principal(ROLE, ACCOUNT),
    Principal(
        f"arn:aws:iam::{OTHER}:role/ml/analyst", OTHER, f"arn:aws:sts::{OTHER}:assumed-role/analyst/anna"
    ),
    Principal(f"arn:aws:iam::{ACCOUNT}:user/anna", ACCOUNT),
    Principal(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT),
    Principal(f"arn:aws:sts::{ACCOUNT}:federated-user/anna", ACCOUNT),
    Principal(f"arn:aws:iam::{ACCOUNT}:user/anna", ACCOUNT, f"arn:aws:sts::{ACCOUNT}:federated-user/anna"),
    Principal(
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ops.amazonaws.com/AWSServiceRoleForOps", ACCOUNT
    ),
    Principal(service="logs.amazonaws.com"),
    Principal(f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"),
    Principal("*"),
)
ACTIONS = ("s3:GetObject", "s3:PutObject", "kms:Decrypt", "sts:AssumeRole")

TEXTS = ("fraud", "Fraud", "fraud/", "search", "", "*", "fraud/x", "a:b", "?")
PATTERNS = (
    "fraud", "fraud/*", "*", "f?aud", "*/x", "*r*", "", "fr*d/*", "${aws:PrincipalTag/team}", "${*}", "FRAUD",
    "${aws:PrincipalTag/team}/*", "*${aws:PrincipalTag/team}", "${s3:prefix, 'fraud'}", "x${aws:PrincipalTag/team}*",
    "*${aws:PrincipalTag/team}*x*", "${aws:TagKeys}", "?${aws:PrincipalTag/team}", "${aws:PrincipalTag/team}?*",
    "*a*${aws:PrincipalTag/team}*${s3:prefix}", "${aws:PrincipalTag/team}${s3:prefix}", "${aws:PrincipalTag/team, 'x'}",
)  # fmt: skip
ARNS = (
    ROLE, f"arn:aws:iam::{ACCOUNT}:role/ml/*", "arn:aws:iam::*:role/*", "*", "arn:aws:iam::*", "arn:*:role/x",
    "arn:aws:iam::1111????3333:role/ml/anal*", f"arn:aws:iam::{OTHER}:role/ml/analyst",
    "arn:aws:iam::*:role/${aws:PrincipalTag/team}", "arn:aws:iam::*:role/${aws:PrincipalTag/team}/*",
    "arn:aws:iam::${aws:PrincipalAccount}:*", "arn:aws:*:role/ml/analyst",
)  # fmt: skip
ARN_VALUES = (
    ROLE,
    TARGET,
    BUCKET,
    "arn:aws:iam::1:role/a:b",
    "arn:aws:iam::2:role/fraud",
    "no-arn",
    "a:b:c:d:e:f",
    "",
)
RESOURCES = (
    f"{BUCKET}/*", f"{BUCKET}/fraud/*", f"{BUCKET}/${{aws:PrincipalTag/team}}/*", "*", BUCKET, "arn:aws:s3:::*",
    f"{BUCKET}/*/${{aws:PrincipalTag/team}}", f"{BUCKET}/?/${{s3:prefix, 'fraud'}}/*", "arn:*:s3:::data/fraud*",
    f"{BUCKET}/f*d/x", "arn:aws:*", "arn:aws:s3:*:data/*", "arn:aws:s3:?::data/*", f"{BUCKET}/${{s3:prefix}}",
    f"{BUCKET}/${{aws:PrincipalTag/team}}", f"{BUCKET}/${{aws:PrincipalTag/team}}/${{s3:prefix}}*", TARGET, KEY,
    f"{BUCKET}/*/${{aws:PrincipalTag/team}}/*", f"{BUCKET}/a?c${{aws:PrincipalTag/team}}*b",
)  # fmt: skip
RESOURCE_VALUES = (
    BUCKET, f"{BUCKET}/", f"{BUCKET}/fraud/x", f"{BUCKET}/fraud", f"{BUCKET}/search/x", f"{BUCKET}/x/fraud",
    f"{BUCKET}/fraud/fraud", "arn:aws:s3:::other/fraud/x", f"{BUCKET}/*", f"{BUCKET}/f:d/x", f"{BUCKET}/a/fraud/x",
    "arn:aws:s3:eu::data/x", "arn:aws:s3:a:b:data/x", f"{BUCKET}/Fraud/x", f"{BUCKET}/../x", f"{BUCKET}//x", "*",
)  # fmt: skip

#: Keys by what policies take them for, with values of policies and of requests.
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "String": (("s3:prefix", "aws:PrincipalTag/team", "aws:TagKeys", "aws:UserAgent"), PATTERNS, TEXTS),
    "Arn": (("aws:PrincipalArn", "aws:SourceArn"), ARNS, ARN_VALUES),
    "Bool": (
        ("aws:SecureTransport", "aws:MultiFactorAuthPresent"),
        ("true", "false", "True"),
        ("true", "false", "FALSE", "x", ""),
    ),
    "Numeric": (
        ("s3:TlsVersion", "s3:max-keys"),
        ("1.2", "5", "-1", "1.20", "10"),
        ("1.2", "1.3", "1", "5", "-1", "11", "x", "", "1e1"),
    ),
    "Date": (
        ("aws:CurrentTime", "aws:TokenIssueTime"),
        ("2030-01-31T00:00:00Z", "2029", "1900000000"),
        (
            "2030-01-31T00:00:00Z",
            "2030-01-30T23:59:59.999999Z",
            "2029",
            "1900000000",
            "1861920000",
            "x",
            "2029-01-01",
            "2035-01-01T00:00:00+02:00",
        ),
    ),
    "Ip": (
        ("aws:SourceIp", "aws:VpcSourceIp"),
        ("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0"),
        (
            "10.1.2.3",
            "10.200.0.1",
            "192.0.2.7",
            "192.0.2.8",
            "2001:db8::1",
            "2001:db9::1",
            "10.0.0.0/8",
            "10.0.0.0/7",
            "x",
            "",
        ),
    ),
    "Binary": (("s3:digest",), ("QQ==", "QUI="), ("QQ==", "QUI=", "QUJD", "x", "")),
}
OPERATORS: dict[str, tuple[str, ...]] = {
    "String": (
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
    ),
    "Arn": ("ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"),
    "Bool": ("Bool",),
    "Numeric": (
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ),
    "Date": (
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
    ),
    "Ip": ("IpAddress", "NotIpAddress"),
    "Binary": ("BinaryEquals",),
}
NAMES = (ROLE, SESSION, ACCOUNT, OTHER, f"arn:aws:iam::{ACCOUNT}:user/anna", "*", f"arn:aws:iam::{ACCOUNT}:root",
         f"arn:aws:sts::{ACCOUNT}:federated-user/anna", f"arn:aws:iam::{OTHER}:role/ml/analyst")  # fmt: skip

Document = dict[str, Any]


@dataclass(frozen=True)
class Cases:
    """Draws policies and requests."""

    random: Random

    def some(self, values: tuple[str, ...], most: int = 2) -> list[str]:
        return [self.random.choice(values) for _ in range(self.random.randint(1, most))]

    def condition(self) -> tuple[str, str, list[str]]:
        kind = self.random.choice(tuple(KINDS))
        keys, values, _ = KINDS[kind]
        key = self.random.choice(keys)
        if self.random.random() < 0.15:
            return (
                self.random.choice(("", "", "ForAnyValue:", "ForAllValues:")) + "Null",
                key,
                self.some(("true", "false"), 1),
            )
        quantifier = self.random.choice(("", "", "", "ForAnyValue:", "ForAllValues:"))
        return (
            quantifier + self.random.choice(OPERATORS[kind]) + self.random.choice(("", "", "IfExists")),
            key,
            self.some(values, 3),
        )

    def statement(self, effect: str, place: str) -> Document:
        found: Document = {"Effect": effect}
        found[self.random.choice(("Action", "Action", "NotAction"))] = self.some(
            ("s3:*", "*", "s3:GetObject", "S3:get*", "kms:*", "sts:*", "s3:Put?bject"), 2
        )
        if place != "trust":
            found[self.random.choice(("Resource", "Resource", "NotResource"))] = self.some(RESOURCES, 3)
        if place in ("resource", "trust"):
            found |= self._principal(effect, place)
        if place == "rcp":
            found["Principal"] = "*"
        conditions: dict[str, dict[str, list[str]]] = {}
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 3))):
            operator, key, values = self.condition()
            conditions.setdefault(operator, {})[key] = values
        return {**found, "Condition": conditions}

    def _principal(self, effect: str, place: str) -> Document:
        if self.random.random() < 0.2:
            return {"Principal": "*"}
        name = (
            "NotPrincipal"
            if effect == "Deny" and place == "resource" and self.random.random() < 0.5
            else "Principal"
        )
        element: Document = {"AWS": self.some(NAMES, 3)}
        if self.random.random() < 0.3:
            element["Service"] = "logs.amazonaws.com"
        if self.random.random() < 0.3:
            element["Federated"] = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
        return {name: element}

    def document(self, place: str) -> Document:
        statements = [
            self.statement(self.random.choice(("Allow", "Allow", "Allow", "Deny")), place)
            for _ in range(self.random.randint(1, 3))
        ]
        if self.random.random() < 0.4:
            wide: Document = {"Effect": "Allow", "Action": "*"}
            wide |= {} if place == "trust" else {"Resource": "*"}
            wide |= {"Principal": "*"} if place in ("resource", "trust", "rcp") else {}
            statements.append(wide)
        if place == "rcp":
            statements = [
                one | ({"Effect": "Deny"} if one["Effect"] == "Allow" and len(one) > 4 else {})
                for one in statements
            ]
        return {"Version": self.random.choice(("2012-10-17",) * 5 + ("2008-10-17",)), "Statement": statements}

    def maybe(self, place: str, chance: float) -> Document | None:
        return self.document(place) if self.random.random() < chance else None

    def policies(self, *, is_trust: bool) -> Policies:
        return Policies(
            identity=[self.document("identity") for _ in range(self.random.randint(0, 2))],
            boundary=self.maybe("identity", 0.3),
            session=self.maybe("identity", 0.2),
            resource=self.maybe("trust" if is_trust else "resource", 0.6),
            endpoint=self.maybe("resource", 0.2),
            scp=[[self.document("identity")] for _ in range(self.random.choice((0, 0, 0, 1, 2)))],
            rcp=[[self.document("rcp")] for _ in range(self.random.choice((0, 0, 0, 1)))],
        )

    def context(self) -> dict[str, str | list[str]]:
        found: dict[str, str | list[str]] = {}
        for keys, _, values in KINDS.values():
            for key in keys:
                if key in ("aws:PrincipalTag/team", "aws:PrincipalArn") or self.random.random() < 0.4:
                    continue
                found[key] = self.random.choice(values)
                if key not in ("s3:prefix", "aws:UserAgent") or self.random.random() < 0.1:
                    found[key] = self.some(values, 1 if self.random.random() < 0.7 else 2)
        return found

    def request(self, principal: Principal, action: str) -> Request:
        tags = {"team": self.random.choice(TEXTS)} if self.random.random() < 0.8 else {}
        arns = {"sts:AssumeRole": (TARGET,), "kms:Decrypt": (KEY, BUCKET)}.get(action, RESOURCE_VALUES)
        return Request(
            replace(principal, tags=tags), action, Resource(self.random.choice(arns), ACCOUNT), self.context()
        )


def open_question(request: Request, policies: Policies) -> Question:
    """The question of all requests by this principal for this action."""
    is_trust = request.action.startswith("sts:")
    who = replace(Who.of(request.principal), tags={}, other_tags=True)
    resource = text(request.resource.arn) if is_trust else text(Symbol("resource"))
    return Question(who, (request.action,), resource, policies, request.resource.account)


def closed_question(request: Request, policies: Policies) -> Question:
    """The question of this request alone."""
    keys: dict[str, str | list[str]] = {
        key: [] for keys, _, _ in KINDS.values() for key in keys if not key.startswith("aws:Principal")
    }
    context = {
        **keys,
        **{key: [value] if isinstance(value, str) else list(value) for key, value in request.context.items()},
    }
    return Question(
        Who.of(request.principal),
        (request.action,),
        text(request.resource.arn),
        policies,
        request.resource.account,
        context,
    )


def smt(encoding: Encoding) -> str:
    """What the solver is asked, in SMT-LIB."""
    make = encoding.make
    constants = [(make.term((symbol,)), "String") for symbol in make.symbols.values()]
    constants += [(flag, "Bool") for flag in make.flags.values()]
    declared = "".join(f"(declare-const {term} {sort})" for term, sort in constants)
    return declared + "".join(f"(assert {one})" for one in (encoding.formula, *make.lemmas))


def second_opinion(encoding: Encoding) -> bool | None:
    """Whether z3 finds a request, None if it gives up."""
    solver = z3.Solver()
    solver.set("timeout", 500)
    solver.from_string(smt(encoding))
    found = solver.check()
    return None if found == z3.unknown else bool(found == z3.sat)
