#include "audit/log_archive.h"

#include <sys/stat.h>

#include "audit/log_reader.h"
#include "audit/pack_file.h"
#include "audit/rotated_log.h"
#include "audit/rotated_name.h"
#include "audit/verifier.h"
#include "unit/audit/log_fixture.h"

namespace leash::audit {
namespace {

LogWriter::Options rotating(const std::string& path, std::size_t bytes, std::size_t keep = 0) {
  LogWriter::Options options;
  options.path = path;
  options.rotate_bytes = bytes;
  options.rotate_keep = keep;
  // Any signature will do where none is checked.
  options.sign = [](std::string_view) { return std::string(64, 's'); };
  options.key_id = "0123456789abcdef";
  return options;
}

void write_lines(const LogWriter::Options& options, int count) {
  auto writer = LogWriter::open(options);
  REQUIRE(writer);
  for (int i = 0; i < count; ++i) REQUIRE(put(**writer, std::to_string(i)));
}

std::string unpacked(const std::string& path) {
  auto reader = LogReader::open(path);
  REQUIRE(reader);
  std::string out;
  for (;;) {
    const auto line = reader->next();
    REQUIRE(line);
    if (!*line) return out;
    out.append((*line)->text).append("\n");
  }
}

std::vector<std::string> paths_of(const std::string& log) {
  std::vector<std::string> out;
  for (const RotatedName& file : rotated_files(log)) out.push_back(file.path);
  return out;
}

// The rotated files and the log, once nothing is left to pack.
std::vector<std::string> all_files(const std::string& log) {
  CHECK(becomes_true([&] {
    const auto files = rotated_files(log);
    return std::all_of(files.begin(), files.end(), [](const auto& file) { return file.is_packed; });
  }));
  auto out = paths_of(log);
  out.push_back(log);
  return out;
}

// Packs what a writer that has ended has left.
std::vector<std::string> packed_files(const std::string& log) {
  const LogArchive archive(log, 0);
  return all_files(log);
}

const std::atomic<bool> kGoOn{false};

TEST_CASE("names of rotated files sort by their last line, and no other name is one") {
  const TempDir dir;
  const std::string log = dir.file("log");
  CHECK(rotated_path(log, 42) == log + ".seq000000000042");
  CHECK(rotated_path(log, 1'234'567'890'123) == log + ".seq1234567890123");
  for (const char* name :
       {".seq000000000042.zst", ".seq000000000007", ".seq1234567890123", ".seq42", ".1", ".2.zst",
        "-20260131", ".seq00000000000x", ".seq000000000042.gz", ".seq-00000000042", ".seq"}) {
    write_file(log + name, "x");
  }
  write_file(dir.file("other.seq000000000001"), "x");
  write_file(dir.file(".log.seq000000000001.pack"), "x");
  CHECK(paths_of(log) == std::vector<std::string>{log + ".seq000000000007",
                                                  log + ".seq000000000042.zst",
                                                  log + ".seq1234567890123"});
  CHECK(rotated_files(dir.file("nothing/log")).empty());
}

TEST_CASE("a log rotates by size, each file ends with a checkpoint, and the chain runs through") {
  const TempDir dir;
  const std::string log = dir.file("log");
  {
    auto writer = LogWriter::open(rotating(log, 4096));
    REQUIRE(writer);
    for (int i = 0; i < 100; ++i) REQUIRE(put(**writer, std::to_string(i)));
    const auto files = all_files(log);
    CHECK(files.size() > 4);
    CHECK((*writer)->counts().lost == 0);
  }
  const auto files = packed_files(log);
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    const auto more = split_lines(unpacked(file));
    REQUIRE_FALSE(more.empty());
    CHECK(is_checkpoint(more.back()));
    lines.insert(lines.end(), more.begin(), more.end());
    if (file != log) CHECK(file == rotated_path(log, lines.size()) + ".zst");
  }
  CHECK(is_chained(lines));
  const VerifyReport report = verify_files(files, {});
  CHECK(report.is_whole());
  CHECK(report.lines == lines.size());
}

TEST_CASE("without a size there is no rotation") {
  const TempDir dir;
  const std::string log = dir.file("log");
  write_lines(rotating(log, 0), 100);
  CHECK(rotated_files(log).empty());
}

TEST_CASE("the oldest files go once there are more than are kept") {
  const TempDir dir;
  const std::string log = dir.file("log");
  write_file(log + ".1", "somebody else's");
  auto writer = LogWriter::open(rotating(log, 2048, 2));
  REQUIRE(writer);
  for (int i = 0; i < 100; ++i) REQUIRE(put(**writer, std::to_string(i)));
  CHECK(becomes_true([&] {
    const auto files = rotated_files(log);
    return files.size() == 2 && files[0].is_packed && files[1].is_packed;
  }));
  writer->reset();
  const VerifyReport report = verify_files(all_files(log), {});
  CHECK(report.is_whole());
  CHECK(report.first_seq > 1);
  CHECK(read_file(log + ".1") == "somebody else's");
}

TEST_CASE("a restart goes on behind rotated files, also where the clock was set back") {
  const TempDir dir;
  const std::string log = dir.file("log");
  write_lines(rotating(log, 2048), 60);
  const auto files = packed_files(log);
  REQUIRE(files.size() > 3);
  REQUIRE(std::filesystem::file_size(log) > 0);
  // The last run's log moved away as a crash between the two steps of a rotation leaves it.
  const std::uint64_t last = verify_files(files, {}).last_seq;
  std::filesystem::rename(log, rotated_path(log, last));
  const auto now = std::filesystem::file_time_type::clock::now();
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    std::filesystem::last_write_time(files[i], now - std::chrono::hours(static_cast<long>(i)));
  }
  std::filesystem::last_write_time(rotated_path(log, last), now - std::chrono::hours(1000));
  const auto tail = tail_of_rotated(log);
  REQUIRE(tail);
  CHECK(tail->seq == last);
  write_lines(rotating(log, 2048), 3);
  const VerifyReport report = verify_files(packed_files(log), {});
  CHECK_MESSAGE(report.is_whole(), report.finding.value_or(Finding{}).text);
  CHECK(report.last_seq > last);
}

TEST_CASE("what a crash leaves of packing is put right at the next start") {
  const TempDir dir;
  const std::string log = dir.file("log");
  write_lines(rotating(log, 2048), 60);
  const auto files = packed_files(log);
  REQUIRE(files.size() > 4);
  const auto plain_name = [](std::string path) {
    path.resize(path.size() - kPackedSuffix.size());
    return path;
  };
  // Not begun; begun and half done; done, and under the plain name still.
  const std::string first = unpacked(files[0]);
  std::filesystem::remove(files[0]);
  write_file(plain_name(files[0]), first);
  const std::string second = unpacked(files[1]);
  const std::string half =
      dir.file("." + std::filesystem::path(plain_name(files[1])).filename().string() + ".pack");
  write_file(half, read_file(files[1]).substr(0, 100));
  std::filesystem::remove(files[1]);
  write_file(plain_name(files[1]), second);
  std::filesystem::rename(files[2], plain_name(files[2]));
  // Readable at once, whatever state it is in.
  CHECK(
      verify_files({plain_name(files[0]), plain_name(files[1]), plain_name(files[2]), files[3]}, {})
          .is_whole());
  write_lines(rotating(log, 1 << 20), 1);
  CHECK(packed_files(log) == files);
  CHECK_FALSE(std::filesystem::exists(half));
  CHECK(unpacked(files[0]) == first);
  CHECK(unpacked(files[1]) == second);
  CHECK(verify_files(files, {}).is_whole());
}

TEST_CASE("a packed file has the mode and the time of the plain one") {
  const TempDir dir;
  const std::string path = dir.file("log.seq000000000001");
  write_file(path, std::string(3'000'000, 'a') + "\n");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(5));
  struct stat before {};
  struct stat after {};
  REQUIRE(::stat(path.c_str(), &before) == 0);
  const auto packed = pack_file(path, kGoOn);
  REQUIRE(packed);
  CHECK(*packed);
  CHECK_FALSE(std::filesystem::exists(path));
  REQUIRE(::stat((path + ".zst").c_str(), &after) == 0);
  CHECK((after.st_mode & 07777) == 0640);
  CHECK(after.st_mtim.tv_sec == before.st_mtim.tv_sec);
  CHECK(after.st_size < 10'000);
  CHECK(unpacked(path + ".zst").size() == 3'000'001);
}

TEST_CASE("packing that is stopped or cannot be done leaves the plain file") {
  const TempDir dir;
  const std::string path = dir.file("log.seq000000000001");
  write_file(path, "line\n");
  const std::atomic<bool> stop{true};
  const auto stopped = pack_file(path, stop);
  REQUIRE(stopped);
  CHECK_FALSE(*stopped);
  CHECK(read_file(path) == "line\n");
  CHECK(std::distance(std::filesystem::directory_iterator(dir.file("")), {}) == 1);
  CHECK_FALSE(pack_file(dir.file("nothing"), kGoOn));
  // Its work file's name is taken by a folder.
  std::filesystem::create_directory(dir.file(".log.seq000000000001.pack"));
  CHECK_FALSE(pack_file(path, kGoOn));
  CHECK(read_file(path) == "line\n");
  std::filesystem::remove(dir.file(".log.seq000000000001.pack"));
  // A packed file of that name is never overwritten.
  write_file(path + ".zst", "other lines");
  CHECK_FALSE(pack_file(path, kGoOn));
  CHECK(read_file(path) == "line\n");
  CHECK(read_file(path + ".zst") == "other lines");
}

TEST_CASE("a rotation that cannot be done loses nothing") {
  const TempDir dir;
  const std::string log = dir.file("log");
  // Every name that the first lines could be rotated to is taken.
  for (std::uint64_t seq = 1; seq <= 50; ++seq) {
    std::filesystem::create_directory(rotated_path(log, seq));
  }
  write_lines(rotating(log, 1024), 40);
  CHECK(rotated_files(log).empty());
  const VerifyReport report = verify_files({log}, {});
  CHECK(report.is_whole());
  CHECK(report.lines >= 40);
}

}  // namespace
}  // namespace leash::audit
