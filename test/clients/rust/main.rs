//! Asks STS who it is, with whatever the default chain finds; prints the version of the SDK.
use aws_config::BehaviorVersion;
use aws_smithy_http_client::Builder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // All of it is plain HTTP here; without TLS there is much less to compile.
    let http = Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    aws_sdk_sts::Client::new(&config).get_caller_identity().send().await?;
    println!("{}", aws_sdk_sts::meta::PKG_VERSION);
    Ok(())
}
