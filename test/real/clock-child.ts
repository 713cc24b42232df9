/** An identity provider and an STS in a process of their own, which can have another time; each line on stdin is answered with what was asked of them. */
import process from 'node:process'
import { startDemoIdp } from '../../scripts/demo-idp.ts'
import { startDemoSts } from '../../scripts/demo-sts.ts'

const [role = '', password = ''] = process.argv.slice(2)
const idp = await startDemoIdp({ charlie: { password, roles: [role] } })
const sts = await startDemoSts()
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
say({ idp: idp.url, sts: sts.origin })
process.stdin.on('data', () => say({ assumed: sts.assumed().length, passwords: idp.passwords() }))
process.stdin.on('end', () => process.exit())
