"""JSON Schema of a case and of its answer: ``gatehouse access evaluate --schema``."""

from __future__ import annotations

import json
from typing import Any

from gatehouse.access.model import Layer, Outcome
from gatehouse.access.principals import Reach

_POLICY: dict[str, Any] = {"type": ["object", "null"], "description": "An IAM policy document."}
_LEVELS: dict[str, Any] = {
    "type": ["array", "null"],
    "description": "For each level of the organisation, from the root to the account, the policies attached there.",
    "items": {"type": "array", "items": {"type": "object"}},
}
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_STATEMENT: dict[str, Any] = {
    "policy": {"type": ["string", "null"], "description": "Such as identity_policies[0]."},
    "sid": {"type": ["string", "null"]},
    "statement": {"type": ["integer", "null"], "minimum": 0, "description": "Counted from 0."},
}
#: What people write beside a case.
_NOTES = ("comment", "description", "expected", "note", "rule", "source", "title")

CASE: dict[str, Any] = {
    "title": "Case",
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "principal", "action", "resource"],
    "properties": {
        "id": {"description": "Given back as it came."},
        "principal": {
            "type": "object",
            "additionalProperties": False,
            "required": [],
            "properties": {
                "arn": {
                    "type": ["string", "null"],
                    "description": "Of the role, user, account root or identity provider; * for nobody signed in.",
                },
                "account": {"type": ["string", "null"], "description": "12 digits."},
                "session_arn": {
                    "type": ["string", "null"],
                    "description": "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION or .../federated-user/NAME.",
                },
                "tags": {
                    "type": ["object", "null"],
                    "description": "Principal and session tags.",
                    "additionalProperties": _SCALAR,
                },
                "service": {
                    "type": ["string", "null"],
                    "description": "A service principal, instead of an ARN, such as logs.amazonaws.com.",
                },
            },
        },
        "action": {"type": "string", "description": "Such as s3:GetObject."},
        "resource": {
            "type": "object",
            "additionalProperties": False,
            "required": ["arn"],
            "properties": {
                "arn": {"type": "string", "description": "* for an action without a resource."},
                "account": {
                    "type": ["string", "null"],
                    "description": "The owner; if none, that in the ARN.",
                },
            },
        },
        "context": {
            "type": ["object", "null"],
            "description": "Condition keys; those that follow from principal and resource may be left out.",
            "additionalProperties": {
                "anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}, {"type": "null"}]
            },
        },
        "identity_policies": {"type": ["array", "null"], "items": {"type": "object"}},
        "permissions_boundary": _POLICY,
        "session_policy": _POLICY,
        "resource_policy": {
            **_POLICY,
            "description": "Of the resource; also a key policy, or the trust policy of the role to assume.",
        },
        "endpoint_policy": _POLICY,
        "service_control_policies": _LEVELS,
        "resource_control_policies": _LEVELS,
        **{note: {"description": "For whoever reads the case; not looked at."} for note in _NOTES},
    },
}

_OUTCOME: dict[str, Any] = {"enum": [outcome.value for outcome in Outcome]}
_DECISION: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "decision", "decided_by", "layers"],
    "properties": {
        "id": {},
        "decision": _OUTCOME,
        "decided_by": {
            "type": "object",
            "description": "The statement, or for an implicit deny the first layer that lacks an Allow.",
            "additionalProperties": False,
            "required": ["layer", *_STATEMENT],
            "properties": {"layer": {"enum": [layer.value for layer in Layer]}, **_STATEMENT},
        },
        "layers": {
            "type": "object",
            "description": "What each layer said that was asked.",
            "propertyNames": {"enum": [layer.value for layer in Layer]},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["verdict", "statements"],
                "properties": {
                    "verdict": _OUTCOME,
                    "reach": {
                        "enum": [reach.name.lower() for reach in Reach if reach],
                        "description": "How directly the Allow names who asks.",
                    },
                    "statements": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": [*_STATEMENT],
                            "properties": _STATEMENT,
                        },
                    },
                },
            },
        },
    },
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "error"],
    "properties": {"id": {}, "error": {"type": "string"}},
}
ANSWER: dict[str, Any] = {"title": "Answer", "anyOf": [_DECISION, _ERROR]}


def schema_text() -> str:
    """Return the JSON Schema of both, as ``$defs`` named case and answer."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"case": CASE, "answer": ANSWER},
        "anyOf": [{"$ref": "#/$defs/case"}, {"$ref": "#/$defs/answer"}],
    }
    return json.dumps(schema, indent=2) + "\n"
