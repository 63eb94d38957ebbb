import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** What one measured run shares between its sessions: the order, the clock's phases, and what went wrong. */
final class Load {
  static final int WARMING = 0;
  static final int MEASURING = 1;
  static final int STOPPED = 2;

  final String operation;
  final String directory;
  final int depth;
  final int paths;
  final Values values;
  final Acknowledged acknowledged;
  final AtomicLong errors = new AtomicLong();
  final AtomicReference<String> firstError = new AtomicReference<>();
  final AtomicLong outstanding = new AtomicLong();
  private final AtomicLong lastWriteNanos = new AtomicLong();
  private final AtomicLong longestGapNanos = new AtomicLong();
  volatile int phase = WARMING;

  Load(JsonNode order) {
    operation = order.get("operation").asText();
    directory = order.get("directory").asText();
    depth = order.get("depth").asInt();
    paths = order.get("paths").asInt();
    values = new Values(order.get("bytes").asInt());
    acknowledged = new Acknowledged(paths);
  }

  /** Begins the part that counts. */
  void measure() {
    lastWriteNanos.set(System.nanoTime());
    longestGapNanos.set(0);
    phase = MEASURING;
  }

  void failed(String error) {
    errors.incrementAndGet();
    firstError.compareAndSet(null, error);
  }

  void wrote(long nowNanos) {
    long gap = nowNanos - lastWriteNanos.getAndSet(nowNanos);
    long longest = longestGapNanos.get();
    while (gap > longest && !longestGapNanos.compareAndSet(longest, gap)) {
      longest = longestGapNanos.get();
    }
  }

  double longestGapMs() {
    return longestGapNanos.get() / 1e6;
  }

  String path(int index) {
    return pathOf(directory, index);
  }

  static String pathOf(String directory, int index) {
    String digits = Integer.toString(index);
    return directory + "/item-" + "0000000".substring(Math.min(7, digits.length())) + digits;
  }
}
