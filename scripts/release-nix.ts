/**
 * An expression that makes a package of the published builds. (https://nixos.org/manual/nixpkgs/stable)
 */
import { buildName } from './release-files.ts'
import { summary, type Published } from './release-published.ts'

const systems = {
  'x86_64-linux': 'linux-x64',
  'aarch64-linux': 'linux-arm64',
  'x86_64-darwin': 'darwin-x64',
  'aarch64-darwin': 'darwin-arm64',
} as const

export function nixExpression({ version, homepage, download }: Published): Record<string, string> {
  const source = (file: string, indent: string): string => {
    const { url, sum } = download(file)
    return `{\n${indent}  url = "${url}";\n${indent}  sha256 = "${sum}";\n${indent}}`
  }
  const builds = Object.entries(systems).map(
    ([system, target]) => `    ${system} = ${source(`${buildName(version, target)}.gz`, '    ')};\n`,
  )
  const texts = ['cloudtoken.bash', '_cloudtoken', 'cloudtoken.fish', 'cloudtoken.1.gz'].map(
    file => `    "${file}" = pkgs.fetchurl ${source(file, '    ')};\n`,
  )
  const expression = `{
  pkgs ? import <nixpkgs> { },
}:

let
  builds = {
${builds.join('')}  };
  texts = {
${texts.join('')}  };
  system = pkgs.stdenv.hostPlatform.system;
in
pkgs.stdenv.mkDerivation {
  pname = "cloudtoken";
  version = "${version}";
  src = pkgs.fetchurl (builds.\${system} or (throw "cloudtoken has no build for \${system}"));

  dontUnpack = true;
  # The program carries its own code behind the machine code; stripping cuts it off.
  dontStrip = true;
  nativeBuildInputs = [ pkgs.installShellFiles ] ++ pkgs.lib.optional pkgs.stdenv.isLinux pkgs.autoPatchelfHook;

  installPhase = ''
    mkdir -p $out/bin
    gzip -dc $src > $out/bin/cloudtoken
    chmod 755 $out/bin/cloudtoken
    cp \${texts."cloudtoken.1.gz"} cloudtoken.1.gz
    installManPage cloudtoken.1.gz
    installShellCompletion --cmd cloudtoken --bash \${texts."cloudtoken.bash"} --zsh \${texts._cloudtoken} \\
      --fish \${texts."cloudtoken.fish"}
  '';

  meta = {
    description = "${summary}";
    homepage = "${homepage}";
    license = pkgs.lib.licenses.mit;
    platforms = builtins.attrNames builds;
    sourceProvenance = [ pkgs.lib.sourceTypes.binaryNativeCode ];
    mainProgram = "cloudtoken";
  };
}
`
  return { 'cloudtoken.nix': expression }
}
