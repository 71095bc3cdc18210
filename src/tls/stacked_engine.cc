#include "tls/stacked_engine.h"

#include <utility>

namespace leash::tls {
namespace {

class StackedEngine final : public Engine {
 public:
  StackedEngine(std::unique_ptr<Engine> outer, std::unique_ptr<Engine> inner,
                std::string_view first)
      : outer_(std::move(outer)), inner_(std::move(inner)), between_(first) {}

  base::Result<void> receive(std::string_view cipher, std::string& plain) override {
    auto outer = outer_->receive(cipher, between_);
    // What came before an error of the outer one still counts.
    auto inner = inner_->receive(between_, plain);
    between_.clear();
    return inner ? outer : inner;
  }
  base::Result<void> send(std::string_view plain) override {
    if (auto sent = inner_->send(plain); !sent) return sent;
    return pass_output();
  }
  void finish() override {
    inner_->finish();
    // An outer connection that is broken tells so when it is read.
    (void)pass_output();
    outer_->finish();
  }
  std::string& output() override {
    (void)pass_output();
    return outer_->output();
  }

  [[nodiscard]] std::size_t unsent_bytes() const override {
    return inner_->unsent_bytes() + outer_->unsent_bytes();
  }
  [[nodiscard]] bool is_established() const override { return inner_->is_established(); }
  [[nodiscard]] bool is_finished_by_peer() const override { return inner_->is_finished_by_peer(); }
  [[nodiscard]] const Session& session() const override { return inner_->session(); }
  void trim() override {
    between_.shrink_to_fit();
    inner_->trim();
    outer_->trim();
  }

 private:
  base::Result<void> pass_output() {
    std::string& out = inner_->output();
    if (out.empty()) return {};
    auto sent = outer_->send(out);
    out.clear();
    return sent;
  }

  std::unique_ptr<Engine> outer_;
  std::unique_ptr<Engine> inner_;
  std::string between_;  // decrypted by the outer one, not yet read by the inner one
};

}  // namespace

std::unique_ptr<Engine> stack_engines(std::unique_ptr<Engine> outer, std::unique_ptr<Engine> inner,
                                      std::string_view first) {
  return std::make_unique<StackedEngine>(std::move(outer), std::move(inner), first);
}

}  // namespace leash::tls
