import com.fasterxml.jackson.databind.node.ArrayNode;

/** Latencies in buckets of at most 1.6 % width, as `bench/histogram.ts` has them. One thread at a time. */
final class Histogram {
  private static final int LINEAR = 128;
  private static final int SIZE = 64 * 36;

  private final long[] counts = new long[SIZE];
  private long total;

  void addNanos(long nanos) {
    long micros = Math.max(0, nanos / 1000);
    int index = (int) micros;
    if (micros >= LINEAR) {
      int shift = 57 - Long.numberOfLeadingZeros(micros);
      index = 64 * shift + (int) (micros >> shift);
    }
    counts[Math.min(index, SIZE - 1)] += 1;
    total += 1;
  }

  void add(Histogram other) {
    for (int at = 0; at < SIZE; at += 1) counts[at] += other.counts[at];
    total += other.total;
  }

  long total() {
    return total;
  }

  void writeTo(ArrayNode target) {
    for (int at = 0; at < SIZE; at += 1) {
      if (counts[at] > 0) target.addArray().add(at).add(counts[at]);
    }
  }
}
