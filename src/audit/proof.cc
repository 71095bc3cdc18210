#include "audit/proof.h"

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>

#include "audit/chain.h"
#include "audit/checkpoint_key.h"
#include "audit/json_text.h"
#include "audit/line_view.h"
#include "audit/log_reader.h"
#include "audit/log_tail.h"
#include "audit/merkle.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::string_view kFormat = "leash audit proof v1";
constexpr std::size_t kMaxPath = 64;  // a tree of 2^64 leaves
constexpr std::size_t kMaxKeys = 64;
// A log that is never signed must not fill the memory.
constexpr std::size_t kMaxLeaves = 2 * 1024 * 1024;

struct ProvenLine {
  std::string line;
  ChainValue previous{};
  std::uint64_t seq = 0;
  std::size_t checkpoint = 0;
  std::vector<tls::Digest> path;
};

// Collects, in one pass over a log, the lines of one id and what proves them.
class Prover {
 public:
  explicit Prover(std::string_view id) : id_(id) { append_string(needle_, id); }

  void add(std::string_view line) {
    const auto chained = split_line(line);
    if (!chained) return;
    // A gap: what stands before it cannot be proven with a checkpoint behind it.
    if (!leaves_.empty() &&
        (chained->seq != first_ + leaves_.size() || leaves_.size() == kMaxLeaves)) {
      give_up_waiting();
    }
    if (is_checkpoint(line)) {
      use_checkpoint(line);
    } else {
      if (leaves_.empty()) first_ = chained->seq;
      if (is_wanted(line)) {
        // Without the line before it, what its chain value was made of is not known.
        if (chained->seq == previous_seq_ + 1) {
          waiting_.push_back({std::string(line), previous_, chained->seq, 0, {}});
        } else {
          ++unprovable_lines;
        }
      }
      leaves_.push_back(chained->chain);
    }
    previous_ = chained->chain;
    previous_seq_ = chained->seq;
  }

  [[nodiscard]] std::size_t unsigned_lines() const { return waiting_.size(); }

  std::vector<ProvenLine> lines;
  std::vector<std::string> checkpoints;
  std::uint64_t unprovable_lines = 0;
  std::uint64_t passed_over_lines = 0;  // the next checkpoint begins behind them

 private:
  void give_up_waiting() {
    unprovable_lines += waiting_.size();
    waiting_.clear();
    leaves_.clear();
  }

  [[nodiscard]] bool is_wanted(std::string_view line) const {
    if (line.find(needle_) == std::string_view::npos) return false;
    const auto view = LineView::parse(line);
    return view && view->text("id") == id_;
  }

  void use_checkpoint(std::string_view line) {
    const auto checkpoint = parse_checkpoint(line);
    const bool is_usable = checkpoint && !leaves_.empty() && checkpoint->first >= first_ &&
                           checkpoint->last == first_ + leaves_.size() - 1;
    if (is_usable) {
      const auto tree = std::span<const ChainValue>(leaves_).subspan(checkpoint->first - first_);
      bool is_used = false;
      for (ProvenLine& proven : waiting_) {
        if (proven.seq < checkpoint->first) {
          ++passed_over_lines;
          continue;
        }
        proven.checkpoint = checkpoints.size();
        proven.path = merkle_path(tree, proven.seq - checkpoint->first);
        lines.push_back(std::move(proven));
        is_used = true;
      }
      if (is_used) checkpoints.emplace_back(line);
      waiting_.clear();
    }
    give_up_waiting();
  }

  std::string id_;
  std::string needle_;
  ChainValue previous_{};
  std::uint64_t previous_seq_ = 0;
  std::uint64_t first_ = 0;  // of leaves_
  std::vector<ChainValue> leaves_;
  std::vector<ProvenLine> waiting_;  // for a checkpoint
};

std::string write_document(std::string_view id, const Prover& prover,
                           const std::vector<std::string>& keys) {
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>> out(
      buffer);
  out.SetIndent(' ', 1);
  const auto text = [&](std::string_view value) {
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
  };
  out.StartObject();
  text("format");
  text(kFormat);
  text("id");
  text(id);
  text("keys");
  out.StartArray();
  for (const std::string& pem : keys) text(pem);
  out.EndArray();
  text("checkpoints");
  out.StartArray();
  for (const std::string& line : prover.checkpoints) text(line);
  out.EndArray();
  text("lines");
  out.StartArray();
  for (const ProvenLine& proven : prover.lines) {
    out.StartObject();
    text("line");
    text(proven.line);
    text("previous");
    text(tls::hex(proven.previous));
    text("checkpoint");
    out.Uint64(proven.checkpoint);
    text("path");
    out.StartArray();
    for (const tls::Digest& digest : proven.path) text(tls::hex(digest));
    out.EndArray();
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

tl::unexpected<base::Error> not_a_proof(std::string detail) {
  return base::fail(base::Code::kBadSyntax, base::Fault::kProxy, std::move(detail));
}

tl::unexpected<base::Error> not_proven(std::size_t line, std::string_view why) {
  return base::fail(base::Code::kBadEncoding, base::Fault::kProxy,
                    "line " + std::to_string(line + 1) + " of the proof: " + std::string(why));
}

std::string_view text_of(const rapidjson::Value& object, const char* key) {
  const auto member = object.FindMember(key);
  if (member == object.MemberEnd() || !member->value.IsString()) return {};
  return {member->value.GetString(), member->value.GetStringLength()};
}

const rapidjson::Value* array_of(const rapidjson::Value& object, const char* key) {
  const auto member = object.FindMember(key);
  if (member == object.MemberEnd() || !member->value.IsArray()) return nullptr;
  return &member->value;
}

base::Result<std::vector<Checkpoint>> read_checkpoints(const rapidjson::Value& document,
                                                       const CheckSignature& check) {
  const rapidjson::Value* list = array_of(document, "checkpoints");
  if (list == nullptr) return not_a_proof("it has no list of checkpoints");
  std::vector<Checkpoint> out;
  for (const auto& item : list->GetArray()) {
    if (!item.IsString()) return not_a_proof("a checkpoint is not a text");
    const auto checkpoint = parse_checkpoint({item.GetString(), item.GetStringLength()});
    if (!checkpoint) return not_a_proof("a checkpoint cannot be read");
    const auto is_right = check(checkpoint->key, checkpoint->signed_bytes, checkpoint->signature);
    if (!is_right || !*is_right) {
      return base::fail(base::Code::kBadEncoding, base::Fault::kProxy,
                        is_right ? "the signature of a checkpoint is wrong"
                                 : "a checkpoint is signed by the key " + checkpoint->key +
                                       ", which was not given");
    }
    out.push_back(*checkpoint);
  }
  return out;
}

base::Result<std::vector<tls::Digest>> read_path(const rapidjson::Value& item) {
  const rapidjson::Value* list = array_of(item, "path");
  if (list == nullptr || list->Size() > kMaxPath) return not_a_proof("a path is missing");
  std::vector<tls::Digest> out;
  for (const auto& step : list->GetArray()) {
    const auto digest = step.IsString()
                            ? parse_chain_value({step.GetString(), step.GetStringLength()})
                            : std::nullopt;
    if (!digest) return not_a_proof("a path holds something else than digests");
    out.push_back(*digest);
  }
  return out;
}

base::Result<std::vector<tls::PublicKey>> read_own_keys(const rapidjson::Value& document) {
  const rapidjson::Value* list = array_of(document, "keys");
  if (list == nullptr || list->Size() > kMaxKeys) return not_a_proof("it has no list of keys");
  std::vector<tls::PublicKey> out;
  for (const auto& item : list->GetArray()) {
    if (!item.IsString()) return not_a_proof("a key is not a text");
    auto key = tls::PublicKey::parse({item.GetString(), item.GetStringLength()});
    if (!key) return not_a_proof("a key cannot be read");
    out.push_back(std::move(*key));
  }
  return out;
}

// Checks the line `item` and adds it to `proven`.
base::Result<void> check_line(const rapidjson::Value& item,
                              const std::vector<Checkpoint>& checkpoints, Proven& proven) {
  const std::size_t number = proven.lines.size();
  if (!item.IsObject() || item.MemberCount() != 4)
    return not_a_proof("a line is not such an object");
  const std::string_view line = text_of(item, "line");
  const auto previous = parse_chain_value(text_of(item, "previous"));
  const auto index = item.FindMember("checkpoint");
  if (!previous || index == item.MemberEnd() || !index->value.IsUint64()) {
    return not_a_proof("a field of a line is missing");
  }
  auto path = read_path(item);
  if (!path) return tl::unexpected(path.error());

  const auto chained = split_line(line);
  const auto view = LineView::parse(line);
  const bool is_ascii = std::all_of(line.begin(), line.end(), [](char c) { return c >= 0; });
  if (!chained || !view || !is_ascii) return not_proven(number, "not a line of a log");
  if (view->text("id") != proven.id) return not_proven(number, "it has another id");
  if (next_chain(*previous, chained->covered) != chained->chain) {
    return not_proven(number, "its chain value is not that of its bytes");
  }
  if (index->value.GetUint64() >= checkpoints.size()) return not_proven(number, "no checkpoint");
  const Checkpoint& checkpoint = checkpoints[index->value.GetUint64()];
  if (chained->seq < checkpoint.first || chained->seq > checkpoint.last) {
    return not_proven(number, "its checkpoint does not cover it");
  }
  const auto root = merkle_root_from(chained->chain, chained->seq - checkpoint.first,
                                     checkpoint.last - checkpoint.first + 1, *path);
  if (root != checkpoint.root) return not_proven(number, "it is not in the tree that was signed");
  if (!proven.seqs.empty() && proven.seqs.back() >= chained->seq) {
    return not_proven(number, "it is out of order");
  }
  proven.lines.emplace_back(line);
  proven.seqs.push_back(chained->seq);
  return {};
}

}  // namespace

base::Result<std::string> prove(const std::vector<std::string>& paths, std::string_view id,
                                const std::vector<tls::PublicKey>& keys) {
  // A log holds ids of our own making: ASCII, and what is not would not survive the document.
  if (id.empty() || !base::is_utf8(id)) return not_a_proof("not an id");
  Prover prover(id);
  for (const std::string& path : paths) {
    auto reader = LogReader::open(path);
    if (!reader) return tl::unexpected(reader.error());
    for (;;) {
      auto line = reader->next();
      if (!line)
        return base::fail(line.error().code, line.error().fault, path + ": " + line.error().text());
      if (!*line) break;
      if ((*line)->is_ended) prover.add((*line)->text);
    }
  }
  if (prover.unprovable_lines > 0) {
    return not_a_proof("lines before or between those of " + std::string(id) +
                       " are not in these files: name the older files too, the oldest first");
  }
  if (prover.passed_over_lines > 0) {
    return not_a_proof(
        "lines of " + std::string(id) +
        " are in no checkpoint's tree: leash was killed before it wrote one, and its "
        "log was moved. The chain vouches for them (verify), a proof cannot");
  }
  if (prover.unsigned_lines() > 0) {
    return not_a_proof(std::to_string(prover.unsigned_lines()) + " of " +
                       std::to_string(prover.unsigned_lines() + prover.lines.size()) +
                       " lines of " + std::string(id) +
                       " have no checkpoint behind them yet; leash writes one within seconds");
  }
  if (prover.lines.empty()) return not_a_proof("there is no line with the id " + std::string(id));
  std::vector<std::string> pems;
  for (const tls::PublicKey& key : keys) {
    const bool is_used = std::any_of(prover.checkpoints.begin(), prover.checkpoints.end(),
                                     [&key](const std::string& line) {
                                       const auto checkpoint = parse_checkpoint(line);
                                       return checkpoint && checkpoint->key == key.id();
                                     });
    if (is_used) pems.push_back(key.pem());
  }
  std::string document = write_document(id, prover, pems);
  if (auto checked = check_proof(document, check_with(keys)); !checked) {
    return tl::unexpected(checked.error());
  }
  return document;
}

base::Result<Proven> check_proof(std::string_view json, const CheckSignature& check) {
  if (json.size() > kMaxProofBytes) return not_a_proof("the document is too large");
  rapidjson::Document document;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  document.Parse<kFlags>(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) return not_a_proof("not a JSON object");
  if (text_of(document, "format") != kFormat) return not_a_proof("another format");
  if (document.MemberCount() != 5) return not_a_proof("it has other members than it should");
  CheckSignature with_own_keys;
  if (!check) {
    auto keys = read_own_keys(document);
    if (!keys) return tl::unexpected(keys.error());
    with_own_keys = check_with(std::move(*keys));
  }
  Proven proven;
  proven.id = text_of(document, "id");
  const rapidjson::Value* lines = array_of(document, "lines");
  if (array_of(document, "keys") == nullptr) return not_a_proof("it has no list of keys");
  if (proven.id.empty() || lines == nullptr || lines->Empty()) {
    return not_a_proof("it has no lines");
  }
  const auto checkpoints = read_checkpoints(document, check ? check : with_own_keys);
  if (!checkpoints) return tl::unexpected(checkpoints.error());
  for (const auto& item : lines->GetArray()) {
    if (auto checked = check_line(item, *checkpoints, proven); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  for (const Checkpoint& checkpoint : *checkpoints) {
    if (std::find(proven.keys.begin(), proven.keys.end(), checkpoint.key) == proven.keys.end()) {
      proven.keys.push_back(checkpoint.key);
    }
  }
  return proven;
}

}  // namespace leash::audit
