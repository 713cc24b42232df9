/**
 * What is known of a release when others are told of it.
 */
export interface Release {
  readonly version: string
  /** Of the commit, ISO 8601. */
  readonly date: string
  /** Where the releases are, as `install.sh --base-url` takes it. */
  readonly address: string
}

export interface Published extends Release {
  readonly homepage: string
  /** Of one file of the release. */
  readonly download: (file: string) => Download
}

interface Download {
  readonly url: string
  /** SHA-256, hex. */
  readonly sum: string
}

/** At most 80 characters, no full stop at the end: the strictest of them wants it so. */
export const summary = 'Fresh AWS credentials from one sign-in at your identity provider'

/** The release has not got that file. */
export class Absent extends Error {}
