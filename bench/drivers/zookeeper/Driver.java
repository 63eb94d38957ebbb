import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.KeeperException.NodeExistsException;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Load on a ZooKeeper ensemble by its own asynchronous client; orders and answers as `bench/protocol.ts` says. */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int OK = Code.OK.intValue();
  private static final long DRAIN_NANOS = TimeUnit.SECONDS.toNanos(30);
  private static final int OUTSTANDING_READS = 256;
  private static final int CONNECTS_AT_ONCE = 100;
  private static final long TICK_NANOS = 100_000;

  private final PrintStream out;
  private final List<ZooKeeper> sessions = new ArrayList<>();
  private final List<String> servers = new ArrayList<>();
  private int sessionTimeoutMs;
  private Writers writers;
  private Acknowledged acknowledged = new Acknowledged(0);
  private Values values = new Values(0);

  private Driver(PrintStream out) {
    this.out = out;
  }

  public static void main(String[] arguments) throws Exception {
    PrintStream out = System.out;
    // Whatever a library prints must not get between the answers.
    System.setOut(System.err);
    Driver driver = new Driver(out);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      driver.answer(JSON.readTree(line));
    }
    System.exit(0);
  }

  private void answer(JsonNode order) {
    ObjectNode answer = JSON.createObjectNode();
    answer.set("id", order.get("id"));
    try {
      answer.set("result", obey(order));
    } catch (Exception error) {
      answer.put("error", error.toString());
    }
    print(answer);
  }

  private ObjectNode obey(JsonNode order) throws Exception {
    String command = order.get("command").asText();
    return switch (command) {
      case "connect" -> connect(order);
      case "fill" -> fill(order);
      case "run" -> run(order);
      case "acknowledged" -> writeAcknowledged();
      case "read" -> read(order);
      case "children" -> children(order);
      case "writers-start" -> startWriters(order);
      case "writers-mark" -> markWriters();
      case "writers-silence" -> writersSilence();
      case "writers-stop" -> stopWriters();
      case "fanout" -> fanout(order);
      case "ephemerals" -> createEphemerals(order);
      default -> throw new IllegalArgumentException("unknown command " + command);
    };
  }

  private ObjectNode connect(JsonNode order) throws Exception {
    sessionTimeoutMs = order.get("sessionTimeoutMs").asInt();
    sessions.clear();
    servers.clear();
    List<Session> opened = new ArrayList<>();
    for (JsonNode server : order.get("servers")) {
      servers.add(server.asText());
      opened.add(new Session(server.asText(), sessionTimeoutMs));
      int before = opened.size() - CONNECTS_AT_ONCE;
      if (before >= 0) opened.get(before).awaitConnected();
    }
    for (Session session : opened) session.awaitConnected();
    sessions.addAll(opened);
    return JSON.createObjectNode();
  }

  private ObjectNode fill(JsonNode order) throws Exception {
    String directory = order.get("directory").asText();
    int outstanding = order.get("outstanding").asInt();
    Values data = new Values(order.get("bytes").asInt());
    ensure(sessions.get(0), directory);
    long started = System.nanoTime();
    Fill fill = new Fill(directory, data, order.get("from").asInt(), order.get("to").asInt());
    fill.run(sessions, outstanding);
    ObjectNode result = JSON.createObjectNode();
    result.put("elapsedMs", (System.nanoTime() - started) / 1e6);
    ArrayNode crcs = result.putArray("crcs");
    for (int at = 0; at < data.size(); at += 1) crcs.add(crc(data.get(at)));
    return result;
  }

  /** Creates a znode; succeeds if it is there. */
  static void ensure(ZooKeeper session, String path) throws Exception {
    try {
      session.create(path, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    } catch (NodeExistsException ignored) {
      // Another was first.
    }
  }

  private ObjectNode run(JsonNode order) throws Exception {
    Load load = new Load(order);
    List<Worker> workers = new ArrayList<>();
    for (ZooKeeper session : sessions) workers.add(new Worker(session, load));
    double rate = order.get("ratePerSecond").asDouble();
    long warmUpNanos = order.get("warmUpMs").asLong() * 1_000_000;
    long measureNanos = order.get("measureMs").asLong() * 1_000_000;
    long elapsed;
    LockContenders contenders = null;
    if (rate > 0) {
      elapsed = openLoop(order, load, workers, rate);
    } else {
      if (load.operation.equals("lock")) {
        contenders = new LockContenders(servers, sessionTimeoutMs, load);
      } else {
        for (Worker worker : workers) worker.startClosed();
      }
      sleepNanos(warmUpNanos);
      load.measure();
      event(order, "measuring");
      long started = System.nanoTime();
      sleepNanos(measureNanos);
      elapsed = System.nanoTime() - started;
      event(order, "measured");
      load.phase = Load.STOPPED;
    }
    boolean drained = drain(load);
    if (!drained) load.failed("unanswered after 30 s: " + load.outstanding.get());
    List<Histogram> histograms = new ArrayList<>();
    for (Worker worker : workers) histograms.add(worker.histogram);
    if (contenders != null) histograms.addAll(contenders.finish());
    acknowledged = load.acknowledged;
    values = load.values;
    return summary(load, histograms, elapsed);
  }

  /** Starts every operation when it is due, answered or not, and counts its latency from then on. */
  private long openLoop(JsonNode order, Load load, List<Worker> workers, double rate) {
    long warmUp = (long) (rate * order.get("warmUpMs").asLong() / 1000);
    long total = warmUp + (long) (rate * order.get("measureMs").asLong() / 1000);
    double nanosEach = 1e9 / rate;
    long begin = System.nanoTime();
    long measuredFrom = begin;
    for (long at = 0; at < total; at += 1) {
      long due = begin + (long) (at * nanosEach);
      while (System.nanoTime() < due) LockSupport.parkNanos(TICK_NANOS);
      if (at == warmUp) {
        load.measure();
        measuredFrom = System.nanoTime();
        event(order, "measuring");
      }
      Worker worker = workers.get((int) (at % workers.size()));
      worker.send((int) (at * 7919 % load.paths), due, at >= warmUp, () -> {});
    }
    drain(load);
    long elapsed = System.nanoTime() - measuredFrom;
    event(order, "measured");
    load.phase = Load.STOPPED;
    return elapsed;
  }

  private static boolean drain(Load load) {
    long until = System.nanoTime() + DRAIN_NANOS;
    while (load.outstanding.get() > 0 && System.nanoTime() < until) LockSupport.parkNanos(TICK_NANOS);
    return load.outstanding.get() <= 0;
  }

  private static ObjectNode summary(Load load, List<Histogram> histograms, long elapsedNanos) {
    Histogram histogram = new Histogram();
    for (Histogram each : histograms) histogram.add(each);
    ObjectNode result = JSON.createObjectNode();
    result.put("count", histogram.total());
    result.put("errors", load.errors.get());
    result.put("firstError", load.firstError.get());
    result.put("elapsedMs", elapsedNanos / 1e6);
    result.put("longestGapMs", load.longestGapMs());
    histogram.writeTo(result.putArray("histogram"));
    return result;
  }

  private ObjectNode writeAcknowledged() {
    ObjectNode result = JSON.createObjectNode();
    ArrayNode paths = result.putArray("values");
    for (int path = 0; path < acknowledged.revisions.length; path += 1) {
      long revision = acknowledged.revisions[path];
      if (revision == 0) continue;
      paths.addArray().add(path).add(revision).add(crc(values.get(acknowledged.values[path])));
    }
    return result;
  }

  private ObjectNode read(JsonNode order) throws Exception {
    ZooKeeper session = sessions.get(0);
    String directory = order.get("directory").asText();
    sync(session, directory);
    ObjectNode result = JSON.createObjectNode();
    ArrayNode found = result.putArray("values");
    Semaphore free = new Semaphore(OUTSTANDING_READS);
    AtomicReference<String> failure = new AtomicReference<>();
    for (JsonNode index : order.get("indexes")) {
      int path = index.asInt();
      free.acquire();
      session.getData(
          Load.pathOf(directory, path),
          false,
          (code, where, context, data, stat) -> {
            if (code == OK) {
              synchronized (found) {
                found.addArray().add(path).add(stat.getMzxid()).add(crc(data));
              }
            } else if (code != Code.NONODE.intValue()) {
              failure.compareAndSet(null, Code.get(code).toString());
            }
            free.release();
          },
          null);
    }
    free.acquire(OUTSTANDING_READS);
    if (failure.get() != null) throw new IllegalStateException("read: " + failure.get());
    return result;
  }


  private ObjectNode children(JsonNode order) throws Exception {
    String directory = order.get("directory").asText();
    ZooKeeper session = sessions.get(0);
    sync(session, directory);
    int count = session.exists(directory, false) == null ? 0 : session.getAllChildrenNumber(directory);
    return JSON.createObjectNode().put("count", count);
  }

  private ObjectNode startWriters(JsonNode order) throws Exception {
    List<String> all = new ArrayList<>();
    for (JsonNode server : order.get("servers")) all.add(server.asText());
    List<String> preferred = new ArrayList<>();
    for (JsonNode server : order.get("preferred")) preferred.add(server.asText());
    int timeoutMs = order.get("sessionTimeoutMs").asInt();
    writers = new Writers(all, preferred, order.get("directory").asText(), timeoutMs);
    return JSON.createObjectNode();
  }

  private ObjectNode markWriters() {
    writers.mark();
    return JSON.createObjectNode();
  }

  private ObjectNode writersSilence() {
    ObjectNode result = JSON.createObjectNode();
    ArrayNode silent = result.putArray("silentMs");
    for (double silentMs : writers.silentMs()) silent.add(silentMs);
    return result;
  }

  private ObjectNode stopWriters() {
    ObjectNode result = JSON.createObjectNode();
    ArrayNode gaps = result.putArray("gapsMs");
    for (double gapMs : writers.stop()) gaps.add(gapMs);
    ArrayNode revisions = result.putArray("revisions");
    for (long revision : writers.revisions()) revisions.add(revision);
    return result.put("writes", writers.writes());
  }

  private ObjectNode fanout(JsonNode order) throws Exception {
    String directory = order.get("directory").asText();
    Session writer = new Session(servers.get(0), sessionTimeoutMs);
    writer.awaitConnected();
    ensure(writer, directory);
    String path = Load.pathOf(directory, 0);
    ensure(writer, path);
    Values data = new Values(order.get("bytes").asInt());
    Fanout fanout = new Fanout(writer, path, order.get("watchers").asInt());
    fanout.watch(sessions);
    ObjectNode result = JSON.createObjectNode();
    ArrayNode lastMs = result.putArray("lastMs");
    byte[] value = data.get(0);
    for (int round = 0; round < order.get("rounds").asInt(); round += 1) {
      value = data.get(round % data.size());
      lastMs.add(fanout.writeOnce(value));
    }
    result.putArray("acknowledged").add(0).add(fanout.revision).add(crc(value));
    writer.close();
    return result;
  }

  private ObjectNode createEphemerals(JsonNode order) throws Exception {
    String directory = order.get("directory").asText();
    ensure(sessions.get(0), directory);
    Semaphore free = new Semaphore(CONNECTS_AT_ONCE);
    AtomicReference<String> failure = new AtomicReference<>();
    int index = order.get("from").asInt();
    for (ZooKeeper session : sessions) {
      free.acquire();
      session.create(
          Load.pathOf(directory, index),
          new byte[0],
          Ids.OPEN_ACL_UNSAFE,
          CreateMode.EPHEMERAL,
          (code, path, context, name) -> {
            if (code != OK) failure.compareAndSet(null, Code.get(code).toString());
            free.release();
          },
          null);
      index += 1;
    }
    free.acquire(CONNECTS_AT_ONCE);
    if (failure.get() != null) throw new IllegalStateException("ephemerals: " + failure.get());
    return JSON.createObjectNode();
  }

  private static void sync(ZooKeeper session, String path) throws Exception {
    CountDownLatch synced = new CountDownLatch(1);
    session.sync(path, (code, where, context) -> synced.countDown(), null);
    synced.await();
  }

  private void event(JsonNode order, String name) {
    ObjectNode event = JSON.createObjectNode();
    event.set("id", order.get("id"));
    event.put("event", name);
    print(event);
  }

  private synchronized void print(ObjectNode line) {
    out.println(line);
    out.flush();
  }

  private static long crc(byte[] data) {
    CRC32 crc = new CRC32();
    crc.update(data);
    return crc.getValue();
  }

  private static void sleepNanos(long nanos) throws InterruptedException {
    TimeUnit.NANOSECONDS.sleep(nanos);
  }
}
