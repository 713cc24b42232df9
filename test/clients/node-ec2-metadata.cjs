// The instance id as this package reads it.
require('node-ec2-metadata').getMetadataForInstance('instance-id').then(console.log)
