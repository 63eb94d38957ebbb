import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooKeeper;

/** A session that can be waited for and asked for its server. */
final class Session extends ZooKeeper {
  private static final int CONNECT_SECONDS = 60;

  private final CountDownLatch connected;

  /** `servers`: `host:port` of one or more, separated by commas. */
  Session(String servers, int timeoutMs) throws IOException {
    this(servers, timeoutMs, new CountDownLatch(1));
  }

  private Session(String servers, int timeoutMs, CountDownLatch connected) throws IOException {
    super(
        servers,
        timeoutMs,
        event -> {
          if (event.getState() == KeeperState.SyncConnected) connected.countDown();
        });
    this.connected = connected;
  }

  void awaitConnected() throws InterruptedException {
    if (!connected.await(CONNECT_SECONDS, TimeUnit.SECONDS)) {
      throw new IllegalStateException("not connected");
    }
  }

  /** `host:port` of the server it is attached to. */
  String server() {
    InetSocketAddress address = (InetSocketAddress) testableRemoteSocketAddress();
    return address == null ? "" : address.getAddress().getHostAddress() + ":" + address.getPort();
  }
}
