/** The newest acknowledged value of each path, by the revision the service gave it. One thread at a time. */
final class Acknowledged {
  final long[] revisions;
  final int[] values;

  Acknowledged(int paths) {
    revisions = new long[paths];
    values = new int[paths];
  }

  void note(int path, long revision, int value) {
    if (revision <= revisions[path]) return;
    revisions[path] = revision;
    values[path] = value;
  }

  void add(Acknowledged other) {
    for (int path = 0; path < revisions.length; path += 1) {
      note(path, other.revisions[path], other.values[path]);
    }
  }
}
