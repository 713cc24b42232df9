import { form } from '../src/provider-form.ts'
import { startShibboleth } from './idp-shibboleth.ts'
import { providerCase } from './provider.case.ts'

providerCase('form, with Shibboleth', form, startShibboleth)
