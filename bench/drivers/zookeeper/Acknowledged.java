/** The newest acknowledged value of each path, by the revision the service gave it; one for all sessions of a driver. */
final class Acknowledged {
  final long[] revisions;
  final int[] values;

  Acknowledged(int paths) {
    revisions = new long[paths];
    values = new int[paths];
  }

  synchronized void note(int path, long revision, int value) {
    if (revision <= revisions[path]) return;
    revisions[path] = revision;
    values[path] = value;
  }
}
