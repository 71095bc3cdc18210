#include "config/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <streambuf>
#include <unordered_set>

#include "base/text.h"

namespace leash::config {
namespace {

constexpr std::size_t kDeepest = 32;
// yaml-cpp scans a whole flow collection ahead before it says a word of it, at some hundred bytes a
// token.
constexpr std::size_t kMostScannedAhead = 256 * 1024;

// Leaves yaml-cpp through an exception, its only way out; caught in parse_yaml.
struct Refused {
  int line;
  std::string text;
};

// Hands out the text piece by piece and stops a scanner that reads on and on without an event.
class BoundedInput : public std::streambuf {
 public:
  explicit BoundedInput(std::string_view text) : text_(text) {}
  void on_event() { since_event_ = 0; }

 protected:
  int_type underflow() override {
    if (next_ >= text_.size()) return traits_type::eof();
    const std::string_view piece = text_.substr(next_, kPiece);
    since_event_ += piece.size();
    if (since_event_ > kMostScannedAhead) {
      throw Refused{0, "a [...] or {...} collection, or a scalar, is too long"};
    }
    next_ += piece.size();
    // The get area is never written to: yaml-cpp reads, and puts back only what it has read.
    char* begin = const_cast<char*>(piece.data());
    setg(begin, begin, begin + piece.size());
    return traits_type::to_int_type(*begin);
  }

 private:
  static constexpr std::size_t kPiece = 2048;
  std::string_view text_;
  std::size_t next_ = 0;
  std::size_t since_event_ = 0;
};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(BoundedInput& input, const YamlItemSink& sink, std::size_t most_nodes)
      : input_(input), sink_(sink), most_nodes_(most_nodes) {}

  YamlNode root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw Refused{mark.line + 1, "more than one document"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(YamlNode::Kind::kNull, mark, "?", anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark.line + 1, "aliases (*name) are not supported"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node = make(YamlNode::Kind::kScalar, mark, tag, anchor);
    node.is_quoted = tag == "!";
    node.text = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(make(YamlNode::Kind::kList, mark, tag, anchor), style);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(make(YamlNode::Kind::kMap, mark, tag, anchor), style);
  }
  void OnMapEnd() override { close(); }

 private:
  YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor) {
    input_.on_event();
    const int line = mark.line + 1;
    if (anchor != 0) throw Refused{line, "anchors (&name) are not supported"};
    if (!tag.empty() && tag != "?" && tag != "!") throw Refused{line, "tags are not supported"};
    if (++nodes_ > most_nodes_) throw Refused{line, "too many values"};
    YamlNode node;
    node.kind = kind;
    node.line = line;
    node.column = mark.column;
    node.offset = mark.pos < 0 ? 0 : static_cast<std::size_t>(mark.pos);
    return node;
  }

  void open(YamlNode node, YAML::EmitterStyle::value style) {
    if (stack_.size() >= kDeepest) throw Refused{node.line, "nested too deep"};
    node.is_flow = style == YAML::EmitterStyle::Flow;
    refuse_as_key(node);
    stack_.push_back(std::move(node));
  }

  void close() {
    input_.on_event();
    YamlNode done = std::move(stack_.back());
    stack_.pop_back();
    attach(std::move(done));
  }

  void add(YamlNode node) {
    refuse_as_key(node);
    attach(std::move(node));
  }

  // A complex or empty key would be lost between "no such key" and "unknown key".
  void refuse_as_key(const YamlNode& node) {
    if (stack_.empty() || !stack_.back().is_map() || stack_.back().items.size() % 2 != 0) return;
    if (!node.is_scalar()) throw Refused{node.line, "a key must be a plain word"};
    if (stack_.size() == 1 && !top_keys_.insert(node.text).second) {
      throw Refused{node.line, "the key '" + node.text + "' appears twice"};
    }
  }

  void attach(YamlNode node) {
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    if (sink_ && stack_.size() == 2 && stack_[1].is_list() && stack_[0].is_map()) {
      sink_(stack_[0].items.back().text, std::move(node));
      nodes_ = 0;
      return;
    }
    stack_.back().items.push_back(std::move(node));
  }

  BoundedInput& input_;
  const YamlItemSink& sink_;
  std::size_t most_nodes_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
  std::vector<YamlNode> stack_;
  std::unordered_set<std::string> top_keys_;
};

// Line of the first byte that has no place in a text file, 0 where there is none.
int line_of_control_byte(std::string_view text) {
  int line = 1;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') ++line;
    if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) return line;
  }
  return 0;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  if (!is_map()) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].text == key) return &items[i + 1];
  }
  return nullptr;
}

std::string_view without_bom(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

tl::expected<YamlNode, YamlError> parse_yaml(std::string_view text, const YamlItemSink& sink,
                                             std::size_t most_nodes) {
  text = without_bom(text);
  if (!base::is_utf8(text)) return tl::unexpected(YamlError{0, "not valid UTF-8"});
  if (const int line = line_of_control_byte(text); line != 0) {
    return tl::unexpected(YamlError{line, "control characters"});
  }
  BoundedInput input(text);
  TreeBuilder builder(input, sink, most_nodes);
  try {
    std::istream stream(&input);
    stream.exceptions(std::ios_base::badbit);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return tl::unexpected(YamlError{refused.line, refused.text});
  } catch (const YAML::Exception& broken) {
    return tl::unexpected(YamlError{broken.mark.is_null() ? 0 : broken.mark.line + 1, broken.msg});
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& other) {
    return tl::unexpected(YamlError{0, other.what()});
  }
  return std::move(builder.root);
}

}  // namespace leash::config
