"""Where Terraform keeps its state."""

from __future__ import annotations

from cdktf import (
    CloudBackend,
    LocalBackend,
    NamedCloudWorkspace,
    S3Backend,
    S3BackendAssumeRoleConfig,
    TaggedCloudWorkspaces,
    TerraformStack,
)

from gatehouse.settings import CloudState, LocalState, S3State


def declare_backend(
    stack: TerraformStack, *, state: LocalState | S3State | CloudState, environment: str
) -> None:
    """Declare the backend in ``stack``.

    It is always declared: the default would write the absolute working directory into the output, which then
    differs from place to place.
    """
    if isinstance(state, LocalState):
        # Terraform runs in cdktf.out/stacks/ENVIRONMENT, and cdktf.out may be deleted: the state lies beside it.
        LocalBackend(stack, path=f"../../../terraform.{environment}.tfstate")
    elif isinstance(state, S3State):
        S3Backend(
            stack,
            bucket=state.bucket,
            key=state.key,
            region=state.region,
            encrypt=True,
            kms_key_id=state.kms_key_id,
            assume_role=S3BackendAssumeRoleConfig(role_arn=state.role_arn) if state.role_arn else None,
        )
        # The bindings of cdktf 0.21 are older than S3's own locking (Terraform 1.10).
        stack.add_override("terraform.backend.s3.use_lockfile", True)
    else:
        CloudBackend(
            stack,
            hostname=state.hostname,
            organization=state.organization,
            workspaces=_workspaces(state),
        )


def _workspaces(state: CloudState) -> NamedCloudWorkspace | TaggedCloudWorkspaces:
    if state.workspace is not None:
        return NamedCloudWorkspace(state.workspace, state.project)
    return TaggedCloudWorkspaces(list(state.workspace_tags), state.project)
