import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Creates a range of paths. Every answer takes the next path, so that no session waits for a slower one. */
final class Fill {
  private static final int OK = Code.OK.intValue();

  private final String directory;
  private final Values data;
  private final int to;
  private final AtomicInteger next;
  private final AtomicReference<String> failure = new AtomicReference<>();

  /** `from` is among them, `to` is not. */
  Fill(String directory, Values data, int from, int to) {
    this.directory = directory;
    this.data = data;
    this.to = to;
    next = new AtomicInteger(from);
  }

  /** `outstanding` operations at any time, spread evenly over the sessions. Throws after the first that failed. */
  void run(List<? extends ZooKeeper> sessions, int outstanding) throws InterruptedException {
    CountDownLatch ended = new CountDownLatch(outstanding);
    for (int at = 0; at < outstanding; at += 1) {
      createNext(sessions.get(at % sessions.size()), ended);
    }
    ended.await();
    if (failure.get() != null) throw new IllegalStateException("fill: " + failure.get());
  }

  private void createNext(ZooKeeper session, CountDownLatch ended) {
    int at = failure.get() == null ? next.getAndIncrement() : to;
    if (at >= to) {
      ended.countDown();
      return;
    }
    session.create(
        Load.pathOf(directory, at),
        data.get(at % data.size()),
        Ids.OPEN_ACL_UNSAFE,
        CreateMode.PERSISTENT,
        (code, path, context, name) -> {
          if (code != OK) failure.compareAndSet(null, Code.get(code).toString());
          createNext(session, ended);
        },
        null);
  }
}
