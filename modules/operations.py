"""What operators may run on the servers: a Session Manager document with a fixed set of commands."""

from __future__ import annotations

import json

from cdktf_cdktf_provider_aws.ssm_document import SsmDocument
from constructs import Construct

from gatehouse.policies import TEMPLATES, escape
from modules.deployment import Deployment


class Operations(Construct):
    """The session document of the stack: without it an operator has no way onto a server.

    A root shell on a server would be the server's role, which reads artifacts and the database secret. The agent
    runs a non-interactive command without a shell, a terminal or an input: it splits the command into words, puts no
    word through a shell, and closes the session when the command ends. The command is a ``sh`` of its own whose
    script is fixed; the operator's choice comes to it as an argument, so that even a value that the document's
    pattern ought to have refused chooses nothing else.

    Sources: Systems Manager User Guide, "Session document schema"; amazon-ssm-agent,
    ``agent/session/shell/shell_unix.go``.
    """

    def __init__(self, scope: Construct, id_: str, *, deployment: Deployment) -> None:
        """Make the document ``PREFIX-operations``."""
        super().__init__(scope, id_)
        content = json.loads((TEMPLATES / "operations" / "session.json").read_text(encoding="utf-8"))
        document = SsmDocument(
            self,
            "document",
            name=deployment.operations_document,
            document_type="Session",
            document_format="JSON",
            content=escape(json.dumps(content, separators=(",", ":"))),
            tags={"Name": deployment.operations_document},
        )
        self.document_name = document.name
