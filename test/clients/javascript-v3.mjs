// Asks STS who it is, with whatever the default chain finds; prints the version of the SDK.
import { createRequire } from 'node:module'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'

await new STSClient({}).send(new GetCallerIdentityCommand({}))
console.log(createRequire(import.meta.url)('@aws-sdk/client-sts/package.json').version)
