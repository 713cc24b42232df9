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
