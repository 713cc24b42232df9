# Asks STS who it is, with whatever the default chain finds; prints the version of the SDK.
require 'aws-sdk-core'

Aws::STS::Client.new(endpoint: ENV.fetch('AWS_ENDPOINT_URL_STS')).get_caller_identity
puts Aws::CORE_GEM_VERSION
