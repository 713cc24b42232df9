/**
 * The files that `init` writes.
 */

/** What `init` was told of the identity provider. */
export interface Start {
  readonly url?: string | undefined
  readonly provider?: string | undefined
  readonly username?: string | undefined
}

const example: Start = {
  provider: 'simplesamlphp',
  url: 'https://idp.example.com/simplesaml/saml2/idp/SSOService.php?spentityid=urn:amazon:webservices',
  username: 'charlie',
}

/** Without an address the identity is an example, and a comment. */
export function configSkeleton({ url, provider, username }: Start = {}): string {
  const told = url === undefined ? example : { provider, url, username }
  const named = Object.entries(told).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
  const lines = named.map(({ name, value }) => `        ${name}: ${url === undefined ? value : JSON.stringify(value)}`)
  const comment = url === undefined ? '# ' : ''
  const identity = ['identities:', '    work:', ...lines].map(text => `${comment}${text}\n`).join('')
  return `# cloudtoken. Every option of "cloudtoken --help" may stand under defaults: or under an identity.

# Who signs in where. provider: adfs, shibboleth, simplesamlphp, keycloak, okta, entra ... ("cloudtoken --help" has them
# all), form for any other sign-in page; without it the address decides.
${identity}${restOfConfig}`
}

const restOfConfig = `
defaults:
    # region: eu-west-1
    # session-duration: 3600

# Names for account ids, shown beside the roles.
# accounts:
#     "123456789012": production

# Short names for roles, for --chain and --dest-role-alias.
# aliases:
#     audit: arn:aws:iam::210987654321:role/Audit

# What the metadata service says in place of its own values: docs/metadata.md
# metadata:
#     instance-type: m5.large

# Which plugins run, and in which order.
plugins:
    pre_auth:
    auth:
        - idp
        - saml
    post_auth:
        - export_credentials_json
        - export_credentials_shell
        - export_credentials_awscli
`

export const proxySkeleton = `# What "cloudtoken -d" serves beside the credentials. As long as all is commented out, the built-in tree is served.
# A list is a folder, a string is a value, a mapping is served as JSON.
#
# latest: "2016-09-02"
# paths:
#     "/":
#         - "2016-09-02"
#     "2016-09-02":
#         "/": [dynamic, meta-data]
#         "/meta-data": [ami-id, hostname]
#         "/meta-data/ami-id": ami-12345678
#         "/meta-data/hostname": localhost
`

export const bashrcAdditions = `# For bash and zsh: source this file from ~/.bashrc or ~/.zshrc.
# Every prompt takes up the credentials of the last run; "cloudtoken -t" sets them in this shell alone.
_cloudtoken_dir="\${CLOUDTOKEN_CONFIG_DIR:-\${XDG_CONFIG_HOME:-$HOME/.config}/cloudtoken}"
_cloudtoken_prompt() {
    if [ -z "$_cloudtoken_temporary" ] && [ -r "$_cloudtoken_dir/tokens.shell" ]; then
        . "$_cloudtoken_dir/tokens.shell"
    fi
}
cloudtoken() {
    command cloudtoken "$@" || return
    if [ -r "$_cloudtoken_dir/tokens.tmp" ]; then
        . "$_cloudtoken_dir/tokens.tmp"
        rm -f "$_cloudtoken_dir/tokens.tmp"
        _cloudtoken_temporary=1
    fi
}
if [ -n "$ZSH_VERSION" ]; then
    precmd_functions+=(_cloudtoken_prompt)
else
    PROMPT_COMMAND="_cloudtoken_prompt\${PROMPT_COMMAND:+;$PROMPT_COMMAND}"
fi
`

export const fishconfigAdditions = `# For fish: source this file from ~/.config/fish/config.fish.
# Every prompt takes up the credentials of the last run; "cloudtoken -t" sets them in this shell alone.
set -g _cloudtoken_dir (set -q CLOUDTOKEN_CONFIG_DIR; and echo $CLOUDTOKEN_CONFIG_DIR; or echo $HOME/.config/cloudtoken)
function _cloudtoken_prompt --on-event fish_prompt
    if not set -q _cloudtoken_temporary; and test -r $_cloudtoken_dir/tokens.shell
        source $_cloudtoken_dir/tokens.shell
    end
end
function cloudtoken
    command cloudtoken $argv; or return
    if test -r $_cloudtoken_dir/tokens.tmp
        source $_cloudtoken_dir/tokens.tmp
        rm -f $_cloudtoken_dir/tokens.tmp
        set -g _cloudtoken_temporary 1
    end
end
`
