import { expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSourceProfile } from '../src/aws-profile.ts'
import { judgeFiles } from '../src/doctor-files.ts'

test('a profile is found however its section is written, and whatever letters it has', () => {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-profile-'))
  try {
    const paths = { home, config: home, state: home }
    mkdirSync(join(home, '.aws'))
    const headers = [
      '[default]',
      '[ profile\tdev ]',
      '[profile "a b"]',
      "[profile 'c']",
      '[profile  Büro]',
      '[profile default]',
    ]
    const body = (key: string): string => `aws_access_key_id = ${key}\naws_secret_access_key = s\n`
    const text = headers.map((header, index) => `${header}\n${body(`KEY${index}`)}`).join('')
    writeFileSync(join(home, '.aws/config'), `${text}[sso-session dev]\n`)
    for (const [index, name] of ['', 'dev', 'a b', 'c', 'Büro', 'default'].entries()) {
      if (name === '') continue
      expect(readSourceProfile(name, paths, {}).key.accessKeyId).toBe(`KEY${index}`)
      expect(judgeFiles(paths, { AWS_PROFILE: name }, false, 0).filter(({ verdict }) => verdict === 'problem')).toEqual(
        [],
      )
    }
  } finally {
    rmSync(home, { recursive: true })
  }
})
