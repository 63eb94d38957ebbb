import java.util.concurrent.ThreadLocalRandom;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** The load of one session. Everything but `send` runs on the session's event thread. */
final class Worker {
  private static final int STRIDE = 7919;
  private static final int READS_OF_TEN = 9;
  private static final int OK = Code.OK.intValue();

  final Histogram histogram = new Histogram();
  private final ZooKeeper session;
  private final Load load;

  Worker(ZooKeeper session, Load load) {
    this.session = session;
    this.load = load;
  }

  /** Keeps `depth` operations outstanding until the load stops. */
  void startClosed() {
    for (int at = 0; at < load.depth; at += 1) next(ThreadLocalRandom.current().nextInt(load.paths));
  }

  private void next(int path) {
    int following = (path + STRIDE) % load.paths;
    send(following, System.nanoTime(), true, () -> next(following));
  }

  /**
   * One operation, its latency counted from `started`. With `counted`, it counts if it ends while measuring; without,
   * never. `afterwards` follows it unless the load has stopped.
   */
  void send(int path, long started, boolean counted, Runnable afterwards) {
    load.outstanding.incrementAndGet();
    switch (load.operation) {
      case "set" -> set(path, started, counted, afterwards);
      case "get-linearizable", "get-local" -> get(path, started, counted, afterwards);
      case "mix" -> {
        if (ThreadLocalRandom.current().nextInt(10) < READS_OF_TEN) {
          get(path, started, counted, afterwards);
        } else {
          set(path, started, counted, afterwards);
        }
      }
      case "create-sequential" -> createSequential(started, counted, afterwards);
      default -> throw new IllegalArgumentException("unknown operation " + load.operation);
    }
  }

  private void set(int path, long started, boolean counted, Runnable afterwards) {
    int value = ThreadLocalRandom.current().nextInt(load.values.size());
    session.setData(
        load.path(path),
        load.values.get(value),
        -1,
        (code, where, context, stat) -> {
          if (code == OK) {
            load.acknowledged.note(path, stat.getMzxid(), value);
            load.wrote(System.nanoTime());
          }
          ended(code, started, counted, afterwards);
        },
        null);
  }

  private void get(int path, long started, boolean counted, Runnable afterwards) {
    session.getData(
        load.path(path),
        false,
        (code, where, context, data, stat) -> ended(code, started, counted, afterwards),
        null);
  }

  private void createSequential(long started, boolean counted, Runnable afterwards) {
    session.create(
        load.directory + "/seq-",
        load.values.get(0),
        Ids.OPEN_ACL_UNSAFE,
        CreateMode.EPHEMERAL_SEQUENTIAL,
        (code, where, context, name) -> {
          if (code != OK) {
            ended(code, started, counted, afterwards);
            return;
          }
          session.delete(
              name, -1, (gone, path, also) -> ended(gone, started, counted, afterwards), null);
        },
        null);
  }

  private void ended(int code, long started, boolean counted, Runnable afterwards) {
    if (code != OK) {
      load.failed(Code.get(code).toString());
    } else if (counted && load.phase == Load.MEASURING) {
      histogram.addNanos(System.nanoTime() - started);
    }
    if (load.phase != Load.STOPPED) afterwards.run();
    // Last, so that nothing counts as outstanding only once nothing will follow.
    load.outstanding.decrementAndGet();
  }
}
