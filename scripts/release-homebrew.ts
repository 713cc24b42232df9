/**
 * A formula for a tap. (https://docs.brew.sh/Formula-Cookbook)
 */
import { buildName } from './release-files.ts'
import { summary, type Published } from './release-published.ts'

const systems = { on_macos: 'darwin', on_linux: 'linux' } as const
const processors = { on_arm: 'arm64', on_intel: 'x64' } as const

export function homebrewFormula({ version, homepage, download }: Published): Record<string, string> {
  const source = (file: string, indent: string): string => {
    const { url, sum } = download(file)
    return `${indent}url "${url}"\n${indent}sha256 "${sum}"`
  }
  // Homebrew unpacks .gz by itself; the other formats would make it install a tool first.
  const builds = Object.entries(systems).map(([on, system]) => {
    const each = Object.entries(processors).map(
      ([chip, processor]) =>
        `    ${chip} do\n${source(`${buildName(version, `${system}-${processor}`)}.gz`, '      ')}\n    end\n`,
    )
    return `  ${on} do\n${each.join('')}  end\n`
  })
  const text = `class Cloudtoken < Formula
  desc "${summary}"
  homepage "${homepage}"
  version "${version}"
  license "MIT"

${builds.join('\n')}
  resource "manual" do
${source('cloudtoken.1.gz', '    ')}
  end

  def install
    program = Dir["cloudtoken-*"].first
    chmod 0755, program
    bin.install program => "cloudtoken"
    generate_completions_from_executable(bin/"cloudtoken", "completion", shells: [:bash, :zsh, :fish])
    resource("manual").stage { man1.install "cloudtoken.1" }
  end

  test do
    assert_equal "cloudtoken #{version}", shell_output("#{bin}/cloudtoken --version").strip
  end
end
`
  return { 'cloudtoken.rb': text }
}
