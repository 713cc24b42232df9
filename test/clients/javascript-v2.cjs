// Asks STS who it is, with whatever the default chain finds; prints the version of the SDK.
const AWS = require('aws-sdk')

const endpoint = process.env.AWS_ENDPOINT_URL_STS
new AWS.STS({ endpoint })
  .getCallerIdentity()
  .promise()
  .then(
    () => console.log(AWS.VERSION),
    error => {
      console.error(error)
      process.exit(1)
    },
  )
