"""Gatehouse's own checks for Checkov: what the stack promises and Checkov's own checks do not look at.

The folder stands alone, for ``checkov --framework terraform_json --external-checks-dir THIS_FOLDER -f cdk.tf.json``.
Checkov imports each file by itself, under the file's name and with the folder on the path: hence the prefix
``house_``, and imports from ``house_reading`` without a package. One rule, one function; a rule goes through the
attributes that are not as they should be.
"""
