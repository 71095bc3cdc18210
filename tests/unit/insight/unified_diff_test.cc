#include "insight/unified_diff.h"

#include <doctest/doctest.h>

namespace leash::insight {

TEST_CASE("equal texts have no diff") { CHECK(unified_diff("a\n", "a\n", "x", "y").empty()); }

TEST_CASE("an insertion has three lines of context") {
  CHECK(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nnew\n5\n6\n7\n8\n", "x", "y") ==
        "--- x\n+++ y\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n");
}

TEST_CASE("a new file begins with line 0 of the old one") {
  CHECK(unified_diff("", "a\nb\n", "/dev/null", "y") ==
        "--- /dev/null\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
}

TEST_CASE("a missing end of line is told") {
  CHECK(unified_diff("a", "a\nb\n", "x", "y") ==
        "--- x\n+++ y\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n");
}

TEST_CASE("repeated lines are not counted twice") {
  CHECK(unified_diff("a\na\n", "a\na\na\n", "x", "y") ==
        "--- x\n+++ y\n@@ -1,2 +1,3 @@\n a\n a\n+a\n");
}

}  // namespace leash::insight
