"""Published checks of policy documents, run in this process, offline, over every policy of a synthesized environment.

iam-policy-validator checks each document against what AWS knows (actions, resource types, condition keys, principals);
cloudsplaining says what a grant can be misused for. Their findings stand under ids of our own, in ``findings.yaml``.
Neither is asked about files, variables of the environment or the network, and neither may fail without being noticed.
"""
