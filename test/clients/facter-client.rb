# What facter makes of the metadata service, as JSON. Its facts leave it out on a machine that is no Xen or KVM.
require 'facter'
require 'json'

puts JSON.generate(Facter::Resolvers::Ec2.resolve(:metadata))
