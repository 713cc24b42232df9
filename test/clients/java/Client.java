import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.services.sts.StsClient;

/** Asks STS who it is, with whatever the default chain finds; prints the version of the SDK. */
class Client {
  public static void main(String[] words) {
    try (var sts = StsClient.create()) {
      sts.getCallerIdentity();
    }
    System.out.println(VersionInfo.SDK_VERSION);
  }
}
