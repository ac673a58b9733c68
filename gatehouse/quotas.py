"""What AWS takes: sizes of documents and numbers of things, and the characters that a reference is counted with.

One home for these numbers: the renderer measures with them before synthesis, the scan what came of it. All are the
values of a new account; the ones that AWS raises on request are taken as they are.

Sources: IAM User Guide, "IAM and AWS STS quotas"; S3 User Guide, "Bucket policies"; KMS Developer Guide, "Resource
quotas"; AWS PrivateLink Guide, "Control access using endpoint policies"; API Gateway Developer Guide, "Quotas for
configuring and running a REST API"; Amazon SNS Developer Guide, "Policy quotas"; VPC User Guide, "Amazon VPC quotas"
and "AWS-managed prefix lists"; EC2 User Guide, "Run commands when you launch an instance".
"""

from __future__ import annotations

#: Characters, white space not counted.
MANAGED_POLICY = 6_144
ROLE_INLINE_POLICIES = 10_240
GROUP_INLINE_POLICIES = 5_120
USER_INLINE_POLICIES = 2_048
TRUST_POLICY = 2_048
#: Characters, white space counted.
ENDPOINT_POLICY = 20_480
API_POLICY = 8_192
#: Bytes.
BUCKET_POLICY = 20 * 1024
KEY_POLICY = 32 * 1024
TOPIC_POLICY = 30 * 1024
#: Bytes before they are encoded.
USER_DATA = 16 * 1024

#: Managed policies that one role, user or group takes.
MANAGED_POLICIES = 10
ROLES = 1_000
#: Of a security group, in each direction, and for each version of IP.
SECURITY_GROUP_RULES = 60

#: Characters counted for a reference: the ARNs of these stacks stay below it.
REFERENCE_LENGTH = 110
#: Of a reference to an account's id.
ACCOUNT_LENGTH = 12
#: Of the id that API Gateway gives a REST API.
API_ID_LENGTH = 10
