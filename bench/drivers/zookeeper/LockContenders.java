import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryNTimes;

/** Threads with a session each that acquire and release one lock, Curator's mutex, over and over. */
final class LockContenders {
  private static final int CONNECT_SECONDS = 30;

  private final Load load;
  private final List<CuratorFramework> clients = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final List<Histogram> histograms = new ArrayList<>();

  LockContenders(List<String> servers, int timeoutMs, Load load) throws InterruptedException {
    this.load = load;
    for (String server : servers) {
      int connectMs = CONNECT_SECONDS * 1000;
      CuratorFramework client =
          CuratorFrameworkFactory.newClient(server, timeoutMs, connectMs, new RetryNTimes(0, 0));
      client.start();
      clients.add(client);
    }
    for (CuratorFramework client : clients) {
      if (!client.blockUntilConnected(CONNECT_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException("Curator did not connect");
      }
      Histogram histogram = new Histogram();
      histograms.add(histogram);
      InterProcessMutex mutex = new InterProcessMutex(client, load.directory + "/lock");
      Thread thread = new Thread(() -> contend(mutex, histogram));
      threads.add(thread);
      thread.start();
    }
  }

  /** Waits until all have stopped, which they do with the load. */
  List<Histogram> finish() throws InterruptedException {
    for (Thread thread : threads) thread.join();
    for (CuratorFramework client : clients) client.close();
    return histograms;
  }

  private void contend(InterProcessMutex mutex, Histogram histogram) {
    while (load.phase != Load.STOPPED) {
      long started = System.nanoTime();
      try {
        mutex.acquire();
        mutex.release();
        if (load.phase == Load.MEASURING) histogram.addNanos(System.nanoTime() - started);
      } catch (Exception error) {
        load.failed(error.toString());
      }
    }
  }
}
