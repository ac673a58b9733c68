"""What operators may run on the servers."""

from __future__ import annotations

import json

from gatehouse.policies import TEMPLATES
from tests.synth.template import Template


def test_the_session_document_is_the_reviewed_one(stack: Template) -> None:
    document = stack.only("aws_ssm_document")
    assert (document["document_type"], document["document_format"]) == ("Session", "JSON")
    content = document["content"].replace("$${", "${").replace("%%{", "%{")
    reviewed = (TEMPLATES / "operations" / "session.json").read_text(encoding="utf-8")
    assert json.loads(content) == json.loads(reviewed)


def test_it_is_named_after_the_stack_whose_tag_the_instances_carry(stack: Template) -> None:
    (provider,) = stack.document["provider"]["aws"]
    prefix = provider["default_tags"][0]["tags"]["gatehouse:stack"]
    assert stack.only("aws_ssm_document")["name"] == f"{prefix}-operations"
    tags = {
        one["resource_type"]: one["tags"] for one in stack.only("aws_launch_template")["tag_specifications"]
    }
    assert tags["instance"]["gatehouse:stack"] == prefix
