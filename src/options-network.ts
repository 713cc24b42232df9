/**
 * What the network of a company asks for.
 */
import type { OptionTable } from './option.ts'

export const networkOptions = {
  'ca-file': {
    type: 'string',
    value: 'FILE',
    summary: "trust the certificate authorities in FILE, too, beside the system's",
  },
  'client-cert': {
    type: 'string',
    value: 'FILE',
    summary: 'certificate for sign-in pages that ask for one (PEM)',
  },
  'client-key': {
    type: 'string',
    value: 'FILE',
    summary: 'its private key, if that is not in the same file; may be encrypted',
  },
  'http-timeout': {
    type: 'integer',
    value: 'SECONDS',
    range: [1, 600],
    summary: 'how long each answer of a server may take; default: 60, of AWS 15',
  },
} as const satisfies OptionTable
