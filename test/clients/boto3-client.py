"""Asks STS who it is, with whatever the default chain finds; prints the version of the SDK."""

import boto3

boto3.client("sts").get_caller_identity()
print(boto3.__version__)
