<#
.SYNOPSIS
Installs cloudtoken on Windows: picks the build for this machine, verifies it, puts it in place in one step.
.DESCRIPTION
For Windows PowerShell 5.1 and later. Never asks for an administrator, never edits a profile.
  powershell -ExecutionPolicy Bypass -File install.ps1 [-Version V] [-Dir DIR] [-BaseUrl URL] [-Binary FILE] [-AddToPath] [-DryRun]
  powershell -ExecutionPolicy Bypass -File install.ps1 -Uninstall [-Purge] [-Dir DIR] [-DryRun]
.PARAMETER Version
This release instead of the latest.
.PARAMETER Dir
Folder for the program.
.PARAMETER BaseUrl
Where the releases are; https, or a server on this machine.
.PARAMETER Binary
Install this file, without any download.
.PARAMETER AddToPath
Put the folder on the PATH of the user, in the registry. Without it nothing but files is written.
.PARAMETER DryRun
Say what would be done, and do nothing.
.PARAMETER Uninstall
Remove the program, and its folder from the PATH of the user.
.PARAMETER Purge
With -Uninstall: sign out, and remove configuration and state too.
#>
[CmdletBinding()]
param(
  [string]$Version = '',
  [string]$Dir = '',
  [string]$BaseUrl = '',
  [string]$Binary = '',
  [switch]$AddToPath,
  [switch]$DryRun,
  [switch]$Uninstall,
  [switch]$Purge
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
# The bar of Windows PowerShell makes a download ten times as slow.
$ProgressPreference = 'SilentlyContinue'

# The same as in package.json, where it is set; empty as long as there is no published release.
$releases = ''

function Write-Line([string]$Text) {
  [Console]::Error.WriteLine("cloudtoken: $Text")
}

# The same codes as the program: 2 usage, 30 network, 1 anything else.
function Stop-Install([int]$Code, [string]$Message, [string]$Hint = '') {
  $trouble = New-Object System.InvalidOperationException $Message
  $trouble.Data['code'] = $Code
  $trouble.Data['hint'] = $Hint
  throw $trouble
}

# An emulated PowerShell is told that the processor is another one; the registry knows.
function Get-Platform {
  if ($PSVersionTable.PSVersion.Major -ge 6 -and -not $IsWindows) {
    Stop-Install 1 'this script is for Windows' 'sh install.sh'
  }
  $key = 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager\Environment'
  $processor = (Get-ItemProperty -Path $key).PROCESSOR_ARCHITECTURE
  switch ($processor) {
    'AMD64' { return 'windows-x64' }
    'ARM64' { return 'windows-arm64' }
    default { Stop-Install 1 "there is no build for Windows on $processor" }
  }
}

function Get-Download([string]$Url, [string]$File) {
  try {
    Invoke-WebRequest -UseBasicParsing -Uri $Url -OutFile $File
  } catch {
    Stop-Install 30 "cannot download ${Url}: $($_.Exception.Message)" 'check the address, the network and the proxy'
  }
}

# Address, checksum and version of the build. The layout is that of GitHub's releases.
function Find-Release([string]$Base, [string]$Platform, [string]$Work) {
  if ($Base -eq '') {
    Stop-Install 1 'there is no published release to install yet' 'install.ps1 -BaseUrl URL, or -Binary FILE'
  }
  if ($Base -notmatch '^(https://|http://(127\.0\.0\.1|localhost|\[::1\])([:/]|$))') {
    Stop-Install 2 "$Base is not an https address"
  }
  if ($Version -ne '' -and $Version -notmatch '^[0-9A-Za-z.+-]+$') { Stop-Install 2 "$Version is not a version" }
  $folder = if ($Version -eq '') { "$Base/latest/download" } else { "$Base/download/v$Version" }
  $list = Join-Path $Work 'SHA256SUMS'
  Get-Download "$folder/SHA256SUMS" $list
  $wanted = if ($Version -eq '') { '[0-9][0-9A-Za-z.+-]*' } else { [regex]::Escape($Version) }
  foreach ($line in [System.IO.File]::ReadAllLines($list)) {
    if ($line -match "^([0-9a-f]{64}) [ *](cloudtoken-($wanted)-$Platform\.zip)$") {
      return @{ Sum = $Matches[1]; Version = $Matches[3]; Url = "$Base/download/v$($Matches[3])/$($Matches[2])" }
    }
  }
  Stop-Install 1 "$folder has no build for $Platform"
}

function Expand-Release($Release, [string]$Work) {
  $archive = Join-Path $Work 'download.zip'
  Get-Download $Release.Url $archive
  $actual = (Get-FileHash -Algorithm SHA256 -LiteralPath $archive).Hash.ToLowerInvariant()
  if ($actual -ne $Release.Sum) {
    Stop-Install 1 "the checksum of $($Release.Url) is wrong: $actual instead of $($Release.Sum)" 'nothing was installed; try again later'
  }
  Expand-Archive -LiteralPath $archive -DestinationPath $Work
}

# Nothing is declared installed that does not run here.
function Test-Program([string]$Program, [string]$Expected) {
  $said = ''
  try {
    $said = "$(& $Program --version)".Trim()
  } catch {
    Stop-Install 1 "the new program does not run here: $($_.Exception.Message)" 'nothing was installed'
  }
  if ($LASTEXITCODE -ne 0 -or $said -notmatch '^cloudtoken ') {
    Stop-Install 1 "the new program does not run here (exit code $LASTEXITCODE)" 'nothing was installed'
  }
  if ($Expected -ne '' -and $said -ne "cloudtoken $Expected") {
    Stop-Install 1 "the program says it is $said, not cloudtoken $Expected" 'nothing was installed'
  }
  return $said
}

# Windows keeps a running program from being deleted or overwritten, not from being renamed: it goes on as the old file,
# which the next installation removes.
function Move-IntoPlace([string]$Program, [string]$Target) {
  Get-ChildItem -LiteralPath (Split-Path $Target) -Filter 'cloudtoken.exe.old-*' | Remove-Item -Force -ErrorAction SilentlyContinue
  if (-not (Test-Path -LiteralPath $Target)) {
    [System.IO.File]::Move($Program, $Target)
    return
  }
  $old = "$Target.old-$([guid]::NewGuid().ToString('N'))"
  [System.IO.File]::Replace($Program, $Target, $old)
  Remove-Item -LiteralPath $old -Force -ErrorAction SilentlyContinue
}

# As it stands in the registry: what it refers to by %NAME% stays a reference.
function Get-UserPath {
  $key = [Microsoft.Win32.Registry]::CurrentUser.OpenSubKey('Environment')
  if ($null -eq $key) { return '' }
  try { return [string]$key.GetValue('Path', '', 'DoNotExpandEnvironmentNames') } finally { $key.Dispose() }
}

function Set-UserPath([string]$Value) {
  Set-ItemProperty -Path 'HKCU:\Environment' -Name Path -Value $Value -Type ExpandString
  # Tells the running programs that the environment has changed, and sets nothing.
  [Environment]::SetEnvironmentVariable('CLOUDTOKEN_NOTHING', $null, 'User')
}

function Show-PathHint([string]$Folder) {
  if (($env:Path -split ';') -contains $Folder) { return }
  if ($env:GITHUB_ACTIONS -eq 'true' -and $env:GITHUB_PATH) {
    [System.IO.File]::AppendAllText($env:GITHUB_PATH, "$Folder`n")
    Write-Line "put $Folder on the PATH of the next steps"
    return
  }
  if ($AddToPath) {
    $entries = @((Get-UserPath) -split ';' | Where-Object { $_ -ne '' })
    if ($entries -notcontains $Folder) { Set-UserPath (($entries + $Folder) -join ';') }
    $env:Path = "$env:Path;$Folder"
    Write-Line "put $Folder on the PATH of the user"
    return
  }
  Write-Line "$Folder is not on PATH yet"
  Write-Line 'hint: install.ps1 -AddToPath'
}

function Install-Program([string]$Folder, [string]$Target) {
  $work = Join-Path $Folder ".cloudtoken.$([guid]::NewGuid().ToString('N'))"
  $temporary = Join-Path ([System.IO.Path]::GetTempPath()) ([System.IO.Path]::GetFileName($work))
  try {
    $expected = $Version
    if ($Binary -eq '') {
      New-Item -ItemType Directory -Path $temporary | Out-Null
      $release = Find-Release $BaseUrl.TrimEnd('/') (Get-Platform) $temporary
      $expected = $release.Version
      $source = $release.Url
    } else {
      if (-not (Test-Path -LiteralPath $Binary -PathType Leaf)) { Stop-Install 2 "there is no file $Binary" }
      $source = $Binary
    }
    if ($DryRun) {
      Write-Line "would take $source"
      if ($Binary -eq '') { Write-Line "would verify SHA-256 $($release.Sum)" }
      Write-Line "would write $Target"
      return
    }
    # Beside the old program: the same volume, and a missing permission shows before the download.
    try {
      New-Item -ItemType Directory -Force -Path $work | Out-Null
    } catch {
      Stop-Install 1 "cannot write to $Folder" 'install.ps1 -Dir DIR'
    }
    $program = Join-Path $work 'cloudtoken.exe'
    if ($Binary -eq '') { Expand-Release $release $work } else { Copy-Item -LiteralPath $Binary -Destination $program }
    $now = Test-Program $program $expected
    try {
      Move-IntoPlace $program $Target
    } catch {
      Stop-Install 1 "cannot write ${Target}: $($_.Exception.Message)"
    }
    Write-Line "installed $now in $Target"
    Show-PathHint $Folder
    Write-Line 'hint: for completions, add to $PROFILE: cloudtoken completion powershell | Out-String | Invoke-Expression'
  } finally {
    foreach ($left in $work, $temporary) {
      Remove-Item -LiteralPath $left -Recurse -Force -ErrorAction SilentlyContinue
    }
  }
}

function Uninstall-Program([string]$Folder, [string]$Target) {
  $places = @((Join-Path $env:APPDATA 'cloudtoken'), (Join-Path $env:LOCALAPPDATA 'cloudtoken'))
  if ($DryRun) {
    Write-Line "would remove $Target"
    if ($Purge) { Write-Line "would sign out, and remove $($places -join ' and ')" }
    return
  }
  if ($Purge) {
    if (Test-Path -LiteralPath $Target) {
      & $Target logout --no-input
      if ($LASTEXITCODE -ne 0) { Write-Line 'could not sign out; see above' }
    }
    foreach ($place in $places) { Remove-Item -LiteralPath $place -Recurse -Force -ErrorAction SilentlyContinue }
    Write-Line "removed $($places -join ' and ')"
  }
  if (-not (Test-Path -LiteralPath $Target)) {
    Stop-Install 1 "there is no $Target" 'install.ps1 -Uninstall -Dir DIR'
  }
  try {
    Get-ChildItem -LiteralPath $Folder -Filter 'cloudtoken.exe*' | Remove-Item -Force
  } catch {
    Stop-Install 1 "cannot remove ${Target}: $($_.Exception.Message)" 'cloudtoken stop'
  }
  if (@(Get-ChildItem -LiteralPath $Folder -Force).Count -eq 0) { Remove-Item -LiteralPath $Folder }
  $entries = @((Get-UserPath) -split ';')
  if ($entries -contains $Folder) { Set-UserPath (($entries | Where-Object { $_ -ne $Folder }) -join ';') }
  Write-Line "removed $Target"
}

function Invoke-Main {
  if ($Purge -and -not $Uninstall) { Stop-Install 2 '-Purge goes with -Uninstall' 'install.ps1 -Uninstall -Purge' }
  # An older .NET offers servers TLS 1.0 and nothing later; 0 leaves it to the system.
  $offered = [Net.ServicePointManager]::SecurityProtocol
  if ([int]$offered -ne 0) { [Net.ServicePointManager]::SecurityProtocol = $offered -bor [Net.SecurityProtocolType]::Tls12 }
  $folder = if ($Dir -eq '') { Join-Path $env:LOCALAPPDATA 'Programs\cloudtoken' } else { $Dir }
  $folder = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($folder)
  $target = Join-Path $folder 'cloudtoken.exe'
  if ($Uninstall) { Uninstall-Program $folder $target } else { Install-Program $folder $target }
}

# The work stands last, so that a download cut short does nothing.
if ($BaseUrl -eq '') { $BaseUrl = $releases }
if ($Version.StartsWith('v')) { $Version = $Version.Substring(1) }
try {
  Invoke-Main
} catch {
  Write-Line "error: $($_.Exception.Message)"
  $code = 1
  if ($_.Exception.Data.Contains('code')) {
    $code = $_.Exception.Data['code']
    if ($_.Exception.Data['hint']) { Write-Line "hint: $($_.Exception.Data['hint'])" }
  }
  # Pasted into a shell there is no script to leave, and exit would close the shell.
  if ($PSCommandPath) { exit $code }
  $global:LASTEXITCODE = $code
}
