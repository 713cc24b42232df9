"""What cloud-init reads at the first boot of an instance, as JSON: its data source for EC2, told that this is one."""

import json

from cloudinit import helpers, sources
from cloudinit.sources import DataSourceEc2

source = DataSourceEc2.DataSourceEc2({}, None, helpers.Paths({}))
source._cloud_name = DataSourceEc2.CloudNames.AWS
crawled = source.crawl_metadata()
print(json.dumps(crawled, default=repr))
