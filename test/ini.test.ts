import { describe, expect, test } from 'bun:test'
import { readSection, removeSection, renameSection, sectionNames, setSection } from '../src/ini.ts'

const busy = [
  '\uFEFF# kept by hand',
  '[default]',
  'AWS_Access_Key_ID=AKIAEXAMPLE ; mine',
  'aws_secret_access_key   =   abc=def==',
  's3 =',
  '  max_concurrent_requests = 20',
  '',
  '  addressing_style = path',
  '',
  '; about work',
  '[ work ]  # trailing',
  '\tregion : eu-west-1',
  '\toutput = json',
  '[default]',
  'region = us-east-1',
].join('\r\n')

describe('reading', () => {
  test('a section is its keys in lower case, its duplicates merged, its nested block one value', () => {
    expect(Object.fromEntries(readSection(busy, 'default') ?? [])).toEqual({
      aws_access_key_id: 'AKIAEXAMPLE',
      aws_secret_access_key: 'abc=def==',
      s3: '\nmax_concurrent_requests = 20\naddressing_style = path',
      region: 'us-east-1',
    })
  })

  test('a value of blanks costs no more than its length', () => {
    const blanks = ' '.repeat(1_000_000)
    expect(readSection(`[a]\nk = x${blanks}y${blanks}# c\n`, 'a')).toEqual(new Map([['k', `x${blanks}y`]]))
  })
  test('keys indented alike are keys of their own, not continuation lines', () => {
    expect(Object.fromEntries(readSection(busy, 'work') ?? [])).toEqual({ region: 'eu-west-1', output: 'json' })
  })

  test('names come in order, once each, without case folding', () => {
    expect(sectionNames(`${busy}\n[Default]\n`)).toEqual(['default', 'work', 'Default'])
  })

  test('a section that is not there is undefined, an empty one is empty', () => {
    expect(readSection(busy, 'nobody')).toBeUndefined()
    expect(readSection('[empty]\n', 'empty')).toEqual(new Map())
  })

  test('a mark inside a value is no comment unless white space stands before it', () => {
    expect(readSection('[a]\nx = one;two#three # four\n', 'a')?.get('x')).toBe('one;two#three')
  })

  test('an indented header below a key is part of its value, as botocore sees it', () => {
    const text = '[a]\nx = 1\n  [b]\ny = 2\n'
    expect(sectionNames(text)).toEqual(['a'])
    expect(readSection(text, 'a')?.get('y')).toBe('2')
    expect(sectionNames('  [b]\ny = 2\n')).toEqual(['b'])
  })
})

describe('setting', () => {
  test('a key keeps its place, its spelling and its spacing', () => {
    const after = setSection(busy, 'work', { REGION: 'eu-north-1' })
    expect(after).toBe(busy.replace('eu-west-1', 'eu-north-1'))
  })

  test('a duplicate key is left once, because botocore refuses two', () => {
    expect(setSection('[a]\nx = 1\nX = 2\n', 'a', { x: '3' })).toBe('[a]\nX = 3\n')
  })

  test('a nested block is replaced as a whole', () => {
    expect(setSection('[a]\ns3 =\n  p = 1\n  q = 2\nz = 3\n', 'a', { s3: 'none' })).toBe('[a]\ns3 =none\nz = 3\n')
  })

  test('a new key goes below the last one, above the comments of the next section', () => {
    const text = '[a]\nx = 1\n\n# about b\n[b]\ny = 2\n'
    expect(setSection(text, 'a', { z: '3' })).toBe('[a]\nx = 1\nz = 3\n\n# about b\n[b]\ny = 2\n')
  })

  test('undefined takes a key out', () => {
    expect(setSection('[a]\nx = 1\ny = 2', 'a', { y: undefined, nothing: undefined })).toBe('[a]\nx = 1')
  })

  test('a new section follows the line ends and the last line of the file', () => {
    expect(setSection('', 'a', { x: '1' })).toBe('[a]\nx = 1\n')
    expect(setSection('[b]\r\n', 'a', { x: '1' })).toBe('[b]\r\n\r\n[a]\r\nx = 1\r\n')
    expect(setSection('[b]\ny = 2', 'a', { x: '1' })).toBe('[b]\ny = 2\n\n[a]\nx = 1')
  })

  test.each([
    ['a\nb', 'x', '1'],
    ['a]', 'x', '1'],
    ['', 'x', '1'],
    [' a', 'x', '1'],
    ['a', 'x', '1\n[b]'],
    ['a', 'x', '1 # 2'],
    ['a', 'x', ' 1'],
    ['a', 'x', '1\0'],
    ['a', 'x = 1\ny', '1'],
    ['a', '', '1'],
  ])('what the file cannot carry is refused: [%j] %j = %j', (name, key, value) => {
    expect(() => setSection('', name, { [key]: value })).toThrow(/cannot/)
  })
})

describe('removing and renaming', () => {
  test('what stands above the next header stays', () => {
    const text = '[a]\nx = 1\n\n[b]\n# inside\ny = 2\n\n# about c\n[c]\nz = 3\n'
    expect(removeSection(text, 'b')).toBe('[a]\nx = 1\n\n# about c\n[c]\nz = 3\n')
  })

  test('every duplicate goes', () => {
    expect(sectionNames(removeSection(busy, 'default'))).toEqual(['work'])
  })

  test('a byte order mark outlives the first section', () => {
    expect(removeSection('\uFEFF[a]\nx = 1\n[b]\n', 'a')).toBe('\uFEFF[b]\n')
  })

  test('renaming changes the name in the headers and no other byte', () => {
    expect(renameSection(busy, 'work', 'work_backup')).toBe(busy.replace('[ work ]', '[ work_backup ]'))
    expect(renameSection(busy, 'default', 'old')).toBe(busy.replaceAll('[default]', '[old]'))
  })

  test('a name with a dollar sign is only a name', () => {
    expect(renameSection('[a]\n', 'a', "$&$'")).toBe("[$&$']\n")
  })
})
