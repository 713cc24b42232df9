import { simplesamlphp } from '../src/provider-simplesamlphp.ts'
import { startSimplesamlphp } from './idp-simplesamlphp.ts'
import { providerCase } from './provider.case.ts'

providerCase('simplesamlphp 1', simplesamlphp, () => startSimplesamlphp(1))
providerCase('simplesamlphp 2', simplesamlphp, () => startSimplesamlphp(2))
