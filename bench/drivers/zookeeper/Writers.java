import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.zookeeper.KeeperException.Code;

/** Sessions that each write without pause, one write at a time, and know their longest time without one. */
final class Writers {
  private static final int ATTEMPTS_MAX = 100;
  private static final int AFTER_ERROR_MS = 2;

  private final List<Writer> writers = new ArrayList<>();
  private final String servers;
  private final int timeoutMs;
  private final AtomicLong writes = new AtomicLong();
  private volatile boolean running = true;

  Writers(List<String> all, List<String> preferred, String directory, int timeoutMs)
      throws Exception {
    this.servers = String.join(",", all);
    this.timeoutMs = timeoutMs;
    for (String server : preferred) {
      Session session = attached(servers, server, timeoutMs);
      String path = Load.pathOf(directory, writers.size());
      Driver.ensure(session, directory);
      Driver.ensure(session, path);
      writers.add(new Writer(session, path));
    }
    for (Writer writer : writers) writer.write();
  }

  void mark() {
    for (Writer writer : writers) writer.mark();
  }

  double[] silentMs() {
    return writers.stream().mapToDouble(Writer::silentMs).toArray();
  }

  double[] stop() {
    running = false;
    double[] gapsMs = new double[writers.size()];
    // A writer that is still waiting has a gap until now.
    for (int at = 0; at < gapsMs.length; at += 1) gapsMs[at] = writers.get(at).noteWrite() / 1e6;
    return gapsMs;
  }

  /** Of each writer's last acknowledged write. */
  long[] revisions() {
    return writers.stream().mapToLong(writer -> writer.revision).toArray();
  }

  long writes() {
    return writes.get();
  }

  private static Session attached(String servers, String preferred, int timeoutMs)
      throws Exception {
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      Session session = new Session(servers, timeoutMs);
      session.awaitConnected();
      if (session.server().equals(preferred)) return session;
      session.close();
    }
    throw new IllegalStateException("no session came to " + preferred);
  }

  private final class Writer {
    private volatile Session session;
    private volatile long revision;
    private final String path;
    private final byte[] value = new byte[128];
    private long last = System.nanoTime();
    private long longest;

    Writer(Session session, String path) {
      this.session = session;
      this.path = path;
    }

    void write() {
      if (!running) return;
      session.setData(
          path,
          value,
          -1,
          (code, where, context, stat) -> {
            if (code == Code.OK.intValue()) {
              if (running) noteWrite();
              revision = Math.max(revision, stat.getMzxid());
              writes.incrementAndGet();
            } else {
              pause();
            }
            if (code == Code.SESSIONEXPIRED.intValue()) reopen();
            write();
          },
          null);
    }

    private void reopen() {
      try {
        session = new Session(servers, timeoutMs);
      } catch (java.io.IOException error) {
        throw new IllegalStateException(error);
      }
    }

    synchronized double silentMs() {
      return (System.nanoTime() - last) / 1e6;
    }

    /** From now on only gaps count that end later; one may have begun before. */
    synchronized void mark() {
      longest = 0;
    }

    synchronized long noteWrite() {
      long now = System.nanoTime();
      longest = Math.max(longest, now - last);
      last = now;
      return longest;
    }

    private void pause() {
      try {
        TimeUnit.MILLISECONDS.sleep(AFTER_ERROR_MS);
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
