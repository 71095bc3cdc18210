#include "http/body_reader.h"

#include <algorithm>

namespace leash::http {

base::Result<std::optional<BodyEvent>> BodyReader::next(std::string_view& in) {
  if (chunks_) return chunks_->next(in);
  if (framing_ != Framing::kUntilClose && left_ == 0) return MessageEnd{};
  if (in.empty()) return std::nullopt;
  std::string_view bytes = in;
  if (framing_ == Framing::kLength) {
    bytes = in.substr(0, std::min<std::uint64_t>(left_, in.size()));
    left_ -= bytes.size();
  }
  in.remove_prefix(bytes.size());
  return BodyBytes{bytes};
}

}  // namespace leash::http
