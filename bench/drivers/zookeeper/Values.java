import java.util.Random;

/** Random values of one size that nothing can compress; used again in turn. */
final class Values {
  private static final int COUNT = 1024;
  private static final long BYTES_MAX = 8L << 20;

  private final byte[][] pool;

  Values(int bytes) {
    int count = (int) Math.max(16, Math.min(COUNT, BYTES_MAX / Math.max(1, bytes)));
    pool = new byte[count][bytes];
    Random random = new Random();
    for (byte[] value : pool) random.nextBytes(value);
  }

  int size() {
    return pool.length;
  }

  byte[] get(int index) {
    return pool[index];
  }
}
