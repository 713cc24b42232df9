/**
 * The values that travel between the floors. Plain, immutable, without behaviour.
 */

/** One set of temporary AWS credentials and where it came from. Replaced as a whole, never changed. */
export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  /** The end that STS stated; never stretched, never shortened. */
  readonly expiration: Date
  /** When STS handed the set out, by this machine's clock. */
  readonly issued: Date
  /** The assumed role, `arn:PARTITION:iam::ACCOUNT:role[/PATH]/NAME`. */
  readonly roleArn: string
  /** Account of the role; digits kept as text. */
  readonly accountId: string
  /** The IAM identity provider through which the role was assumed, `arn:…:saml-provider/NAME`. */
  readonly samlProvider?: string
  /** Entity id of the identity provider, as STS reports it. */
  readonly issuer?: string
  /** `arn:…:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly assumedRoleArn?: string
  /** Where a chain of roles led here: the one it started from. */
  readonly sourceRole?: Role
}

/** A role that a sign-in offers, with the SAML provider it has to be paired with; empty where there is none. */
export interface Role {
  readonly roleArn: string
  readonly providerArn: string
}

/** What a provider brings home: proof of who the person is, or finished credentials. */
export type Assertion =
  /** `response`: the SAMLResponse as posted, base64 without white space. */
  | { readonly kind: 'saml'; readonly response: string }
  | { readonly kind: 'oidc'; readonly token: string; readonly role?: string }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }
  | RoleCounter
  | KeySource

/** What signs requests: for good, or with a token for a while. */
export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** Of a token, as far as somebody said so. */
  readonly expiration?: Date
}

/** Keys of a user, or a session that another program got, for roles to be assumed with. */
export interface KeySource {
  readonly kind: 'keys'
  readonly key: AccessKey
  /** In words, for messages: `profile base`. */
  readonly from: string
  /** Serial number or ARN of the device whose codes go with the key. */
  readonly mfaSerial?: string | undefined
  /** Where the key is at home, as far as its source says. */
  readonly region?: string | undefined
  /** Roles that the source itself goes through before those of the command line. */
  readonly roles: readonly SourceRole[]
  /** A person has typed it: worth keeping once AWS has taken it. */
  readonly typed?: true
}

/** A role as a profile of ~/.aws/config describes it. */
export interface SourceRole {
  readonly roleArn: string
  readonly externalId?: string | undefined
  readonly sessionName?: string | undefined
  /** Seconds. */
  readonly duration?: number | undefined
}

/** Roles to choose from, and credentials for one of them, without STS. Both may be asked for long after the sign-in. */
export interface RoleCounter {
  readonly kind: 'roles'
  /** Roles without a `providerArn`. */
  list(): Promise<OfferedRoles>
  take(role: Role): Promise<Credentials>
  /** When a person has to sign in again, where that is known. */
  readonly sessionEnd?: Date
}

export interface OfferedRoles {
  readonly roles: readonly Role[]
  /** Account id to name. */
  readonly names: ReadonlyMap<string, string>
}

/** Time and chance, injected where behaviour over time matters. */
export interface Clock {
  /** Milliseconds since the epoch, wall clock. */
  now(): number
  /** Milliseconds of a clock that nobody can set; it may stand still while the machine sleeps. */
  elapsed(): number
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** 0 ≤ value < 1. */
  random(): number
}
