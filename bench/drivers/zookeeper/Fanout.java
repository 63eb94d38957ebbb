import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.ZooKeeper;

/** Many watchers of one znode, and the time from a write to the last that hears of it. */
final class Fanout {
  private static final int TIMEOUT_SECONDS = 30;

  private final ZooKeeper writer;
  private final String path;
  private final int watchers;
  /** Of the last write. */
  long revision;
  private final AtomicLong lastNanos = new AtomicLong();
  private final AtomicReference<CountDownLatch> round = new AtomicReference<>();

  Fanout(ZooKeeper writer, String path, int watchers) {
    this.writer = writer;
    this.path = path;
    this.watchers = watchers;
    round.set(new CountDownLatch(watchers));
  }

  void watch(List<ZooKeeper> sessions) throws Exception {
    for (int at = 0; at < watchers; at += 1) {
      sessions.get(at % sessions.size()).addWatch(path, watcher(), AddWatchMode.PERSISTENT);
    }
  }

  /** Sets the znode and returns the time to the last delivery, ms. */
  double writeOnce(byte[] value) throws Exception {
    CountDownLatch latch = new CountDownLatch(watchers);
    round.set(latch);
    long started = System.nanoTime();
    revision = writer.setData(path, value, -1).getMzxid();
    if (!latch.await(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
      throw new IllegalStateException(latch.getCount() + " watchers did not hear of a write");
    }
    return (lastNanos.get() - started) / 1e6;
  }

  /** A new object each time: the client tells each of its watchers once. */
  private Watcher watcher() {
    return new Watcher() {
      @Override
      public void process(org.apache.zookeeper.WatchedEvent event) {
        if (event.getType() != EventType.NodeDataChanged) return;
        lastNanos.accumulateAndGet(System.nanoTime(), Math::max);
        round.get().countDown();
      }
    };
  }
}
