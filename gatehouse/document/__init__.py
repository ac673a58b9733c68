"""A read-only view of a synthesized ``cdk.tf.json``, or of a plan, with every reference resolved.

::

    from gatehouse.document import read_document

    document = read_document(Path("cdktf.out/stacks/dev/cdk.tf.json"))
    for bucket in document.of_type("aws_s3_bucket"):
        print(bucket.attributes["bucket"], bucket.value("arn"))

``attributes`` are those that the document gives, ``value`` also knows what AWS makes of them: ARNs in AWS's form, ids
with the Terraform name in them, which are the same in every run. What cannot be resolved is an error when it is read.

``read`` and ``plan`` know the two forms of file, ``resolve`` what a reference is to, ``expressions``, ``nodes`` and
``functions`` Terraform's language, ``computed`` what AWS makes, ``lines`` where it stands.
"""

from gatehouse.document.document import Document, Placeholders
from gatehouse.document.read import read_document
from gatehouse.document.resource import Resource

__all__ = ["Document", "Placeholders", "Resource", "read_document"]
