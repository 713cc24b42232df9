"""What this package reads of the instance, as JSON."""

import json

from ec2_metadata import ec2_metadata

print(json.dumps([ec2_metadata.instance_id, ec2_metadata.region, ec2_metadata.account_id, ec2_metadata.iam_info]))
