"""The ancestor of boto3, as scripts of old still use it: lists buckets with whatever it finds; prints its version."""

import os
from urllib.parse import urlsplit

import boto
from boto.s3.connection import OrdinaryCallingFormat, S3Connection

place = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
S3Connection(
    host=place.hostname, port=place.port, is_secure=False, calling_format=OrdinaryCallingFormat()
).get_all_buckets()
print(boto.__version__)
