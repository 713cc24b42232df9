/**
 * A program as anybody writes it with the AWS SDK: no keys, no profile, nothing configured. The SDK finds the metadata
 * service by itself. Prints who it is.
 */
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { say } from './tools.ts'

const client = new STSClient({ region: 'us-east-1' })
const { Arn: arn } = await client.send(new GetCallerIdentityCommand({}))
say(arn ?? 'nobody')
