#include "audit/log_tail.h"

#include <algorithm>

#include "audit/line_view.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::uint64_t kMaxLookBack = 64 * 1024 * 1024;
constexpr std::size_t kFirstRead = 64 * 1024;
constexpr std::size_t kMaxUnsigned = 64 * 1024;

struct BackLine {
  std::uint64_t offset = 0;
  std::string_view text;  // without its end of line; valid until the next one is read
  bool is_ended = false;  // there was an end of line
  bool is_whole = true;   // false: it begins before the look back ends
};

// The lines of a file from the last to the first.
class BackwardLines {
 public:
  BackwardLines(const ReadAt& read_at, std::uint64_t size)
      : read_at_(read_at), floor_(size > kMaxLookBack ? size - kMaxLookBack : 0), begin_(size) {}

  // nullopt: no more, or the look back ends.
  base::Result<std::optional<BackLine>> next() {
    buffer_.resize(end_);
    std::size_t searched = 0;  // bytes at the end of the buffer known to have no end of line
    const bool is_ended_known = !buffer_.empty();
    bool is_ended = is_ended_known && buffer_.back() == '\n';
    if (is_ended) searched = 1;
    for (;;) {
      const std::string_view head =
          std::string_view(buffer_).substr(0, buffer_.size() - std::min(searched, buffer_.size()));
      const std::size_t newline = head.rfind('\n');
      if (newline != std::string_view::npos) return take(newline + 1, is_ended, true);
      searched = buffer_.size();
      if (begin_ <= floor_) break;
      const bool was_empty = buffer_.empty();
      if (auto more = extend(); !more) return tl::unexpected(more.error());
      if (was_empty && !buffer_.empty() && buffer_.back() == '\n') {
        is_ended = true;
        searched = 1;
      }
    }
    if (buffer_.empty()) return std::nullopt;
    return take(0, is_ended, begin_ == 0);
  }

 private:
  // Reads twice as much as there is, so that a long line costs no more than its length.
  base::Result<void> extend() {
    const std::uint64_t room = begin_ - floor_;
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max<std::size_t>(buffer_.size(), kFirstRead), room));
    std::string piece(wanted, '\0');
    std::size_t have = 0;
    while (have < wanted) {
      const std::int64_t got = read_at_(piece.data() + have, wanted - have, begin_ - wanted + have);
      if (got <= 0) {
        return base::fail(base::Code::kIo, base::Fault::kProxy,
                          got < 0 ? base::errno_text(static_cast<int>(-got))
                                  : "the log became shorter while it was read");
      }
      have += static_cast<std::size_t>(got);
    }
    buffer_.insert(0, piece);
    begin_ -= wanted;
    end_ = buffer_.size();
    return {};
  }

  std::optional<BackLine> take(std::size_t start, bool is_ended, bool is_whole) {
    BackLine line;
    line.offset = begin_ + start;
    line.text = std::string_view(buffer_).substr(start);
    if (is_ended) line.text.remove_suffix(1);
    line.is_ended = is_ended;
    line.is_whole = is_whole;
    end_ = start;
    return line;
  }

  const ReadAt& read_at_;
  std::uint64_t floor_;
  std::uint64_t begin_;  // offset of the buffer's first byte
  std::string buffer_;
  std::size_t end_ = 0;  // what lies behind was given out
};

bool begins_as_ours(std::string_view piece) {
  constexpr std::string_view kStart = "{\"ts\": ";
  const std::size_t size = std::min(piece.size(), kStart.size());
  return piece.substr(0, size) == kStart.substr(0, size) ||
         piece.find_first_not_of('\0') == std::string_view::npos;
}

bool is_line(const BackLine& line) {
  if (!line.is_ended) return false;
  return !line.is_whole || line.text.empty() || split_line(line.text) || LineView::parse(line.text);
}

// Follows the chain back from the line `seq` to the last checkpoint before it.
base::Result<void> collect_unsigned(BackwardLines& lines, BackLine line, LogTail& tail) {
  std::uint64_t expected = tail.seq;
  while (line.is_whole && tail.unsigned_lines.size() < kMaxUnsigned) {
    const auto chained = split_line(line.text);
    if (!chained || chained->seq != expected || is_checkpoint(line.text)) break;
    tail.unsigned_lines.push_back(chained->chain);
    --expected;
    auto previous = lines.next();
    if (!previous) return tl::unexpected(previous.error());
    if (!*previous) break;
    line = **previous;
  }
  std::reverse(tail.unsigned_lines.begin(), tail.unsigned_lines.end());
  return {};
}

}  // namespace

bool is_checkpoint(std::string_view line) {
  // The event stands behind the time; to look for it anywhere costs a verifier more than the rest
  // of its reading.
  constexpr std::string_view kStart = "{\"ts\": ";
  constexpr std::size_t kMaxTime = 32;
  if (!line.starts_with(kStart)) return false;
  line.remove_prefix(kStart.size());
  const std::size_t comma = line.substr(0, kMaxTime).find(',');
  return comma != std::string_view::npos &&
         line.substr(comma).starts_with(", \"event\": \"checkpoint\"");
}

base::Result<LogTail> read_tail(const ReadAt& read_at, std::uint64_t size) {
  LogTail tail;
  tail.end = size;
  BackwardLines lines(read_at, size);
  auto line = lines.next();
  if (!line) return tl::unexpected(line.error());
  if (!*line) return tail;

  tail.is_ended = (*line)->is_ended;
  if (!is_line(**line)) {
    const std::string_view torn = (*line)->text;
    tail.end = (*line)->offset;
    tail.torn_bytes = size - tail.end;
    tail.torn_start = torn.substr(0, kTornShown);
    tail.is_ours = (*line)->is_whole && begins_as_ours(torn);
    line = lines.next();
    if (!line) return tl::unexpected(line.error());
  }
  // Lines without a chain at the end: written by the original after ours, or by somebody's hand.
  while (*line && (*line)->is_whole) {
    if (const auto chained = split_line((*line)->text)) {
      tail.seq = chained->seq;
      tail.chain = chained->chain;
      if (auto done = collect_unsigned(lines, **line, tail); !done) {
        return tl::unexpected(done.error());
      }
      return tail;
    }
    line = lines.next();
    if (!line) return tl::unexpected(line.error());
  }
  return tail;
}

}  // namespace leash::audit
