// A worker's way to the signer, with the leaves that all workers keep: where its handshakes get
// their certificates.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "net/loop.h"
#include "signer/wire.h"
#include "tls/leaf_assembler.h"
#include "tls/leaf_cache.h"

namespace leash::signer {

// Shared by the desks; each number by itself.
struct Counts {
  std::atomic<std::uint64_t> minted{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<bool> is_gone{false};  // for good: its keeper has ended as well
};

// Belongs to its loop's thread.
class Desk final : public tls::LeafSource {
 public:
  struct Shared {
    tls::LeafCache& cache;
    const tls::LeafAssembler& assembler;
    const std::string& ca_pem;
    Counts& counts;
  };
  enum class Voice { kQuiet, kSpeaks };  // one of a process's desks tells of the signer's death

  // `socket`: of Started. Requests that the signer has not answered when it dies are sent again to
  // the next one; all fail after `patience` with signer_unavailable.
  Desk(net::Loop& loop, base::Fd socket, Shared shared, Voice voice,
       std::chrono::milliseconds patience = kPatience);
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  // Within the call where the leaf is kept or the signer is gone.
  void leaf_for(const base::Host& host, Done done) override;

  static constexpr std::chrono::milliseconds kPatience{5000};
  // Names that wait at once; more are refused.
  static constexpr std::size_t kMostWaiting = 4096;
  // Requests that the signer has and has not answered: their answers have room in the socket.
  static constexpr std::size_t kMostSent = 64;

 private:
  struct Wish {
    base::Host host;
    std::uint64_t id = 0;
    bool is_sent = false;
    std::chrono::steady_clock::time_point until;
    std::vector<Done> askers;
  };
  using Wishes = std::list<Wish>;

  void send_some();
  void on_readable();
  void on_answer(Answer answer);
  void on_ready(const Answer& answer);
  void on_late();
  void lose_signer(std::string why);
  void finish(Wishes::iterator wish, const base::Result<std::shared_ptr<const tls::Leaf>>& result);

  net::Loop& loop_;
  base::Fd socket_;
  Shared shared_;
  const Voice voice_;
  const std::chrono::milliseconds patience_;
  Wishes wishes_;  // in the order of asking, and so of `until`
  std::unordered_map<std::string, Wishes::iterator> by_name_;
  std::size_t sent_ = 0;
  std::uint64_t last_id_ = 0;
  std::string lost_;  // why there is no signer any more
  std::string buffer_;
  net::Timer late_;
  std::unique_ptr<net::ReadWatch> readable_;
};

}  // namespace leash::signer
