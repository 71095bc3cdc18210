// Loads a proxy and says what that cost it: `load --help` is the list in options.cc. One thread,
// one epoll, OpenSSL's own sockets: nothing of leash is in here.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connection.h"
#include "process.h"

namespace bench {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

double micros(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

class Run final : public Connection::Load {
 public:
  explicit Run(Options options)
      : options_(std::move(options)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  ~Run() override {
    connections_.clear();
    ::close(epoll_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  int execute();

  const Options& options() const override { return options_; }
  SSL_CTX* tls() override { return tls_.get(); }
  SSL_SESSION* session(int name) override {
    const auto found = sessions_.find(name);
    return options_.resumes && found != sessions_.end() ? found->second.get() : nullptr;
  }
  void watch(Connection& connection, int fd, bool writing) override;
  void on_answer(Connection& connection) override;
  void on_failed(Connection& connection, const std::string& why) override;

 private:
  static int on_session(SSL* ssl, SSL_SESSION* session);
  bool make_tls();
  void open_slot(int slot);
  void open_more();
  void turn(std::chrono::milliseconds wait);
  void run_until(const std::function<bool()>& is_done);
  void pace();
  void begin_measuring();
  [[nodiscard]] bool is_over() const;
  void hold();
  void print(Clock::duration took, const Usage& before, const Usage& after);

  Options options_;
  int epoll_;
  std::unique_ptr<SSL_CTX, FreeContext> tls_;
  std::map<int, std::unique_ptr<SSL_SESSION, FreeSession>> sessions_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;  // by slot
  std::unordered_map<Connection*, bool> watched_;
  std::vector<std::unique_ptr<Connection>> dead_;
  std::vector<int> to_open_;        // slots
  std::vector<Connection*> again_;  // idle, to be asked again: not from inside their own answer
  int next_name_ = 0;
  int next_slot_ = 0;
  bool is_measuring_ = false;
  bool is_ending_ = false;
  Clock::time_point begin_;
  Clock::time_point last_progress_;
  std::uint64_t answers_ = 0;  // while it measures
  std::uint64_t opened_ = 0;
  std::uint64_t all_answers_ = 0;
  std::uint64_t resumed_ = 0;
  std::map<std::string, std::uint64_t> errors_;
  std::vector<double> latencies_;
  // kPaced
  std::vector<Connection*> idle_;
  std::vector<Clock::time_point> waiting_;  // requests that are due and have no connection
  Clock::time_point next_due_;
  Usage idle_before_;
};

bool Run::make_tls() {
  tls_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(tls_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(tls_.get(), &Run::on_session);
  SSL_CTX_set_app_data(tls_.get(), this);
  return options_.ca_file.empty() ||
         SSL_CTX_load_verify_locations(tls_.get(), options_.ca_file.c_str(), nullptr) == 1;
}

int Run::on_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<Run*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto* connection = static_cast<Connection*>(SSL_get_app_data(ssl));
  if (!self->options_.resumes) return 0;
  self->sessions_[connection->name()].reset(session);
  return 1;  // ours now
}

void Run::watch(Connection& connection, int fd, bool writing) {
  epoll_event event{};
  event.events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &connection;
  const bool is_new = watched_.emplace(&connection, true).second;
  ::epoll_ctl(epoll_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
}

void Run::open_slot(int slot) {
  const int name = options_.mode == Mode::kMint ? options_.first_name + next_name_++
                                                : options_.first_name + slot % options_.names;
  auto made = std::make_unique<Connection>(*this, name, slot);
  Connection& connection = *made;
  connections_[slot] = std::move(made);
  ++opened_;
  connection.start(Clock::now());
}

void Run::on_answer(Connection& connection) {
  const auto now = Clock::now();
  last_progress_ = now;
  ++all_answers_;
  if (is_measuring_) {
    ++answers_;
    latencies_.push_back(micros(now - connection.due()));
    if (connection.was_resumed()) ++resumed_;
  }
  switch (options_.mode) {
    case Mode::kKept:
    case Mode::kBulk:
      if (!is_ending_ && !is_over()) again_.push_back(&connection);
      break;
    case Mode::kNew:
    case Mode::kMint: {
      const int slot = connection.slot();
      watched_.erase(&connection);
      if (connection.ssl() != nullptr) SSL_shutdown(connection.ssl());
      dead_.push_back(std::move(connections_[slot]));
      connections_.erase(slot);
      if (!is_ending_ && !is_over()) to_open_.push_back(slot);
      break;
    }
    case Mode::kIdle:
      if (next_slot_ < static_cast<int>(options_.requests)) to_open_.push_back(next_slot_++);
      break;
    case Mode::kPaced:
      if (waiting_.empty()) {
        idle_.push_back(&connection);
      } else {
        const auto due = waiting_.front();
        waiting_.erase(waiting_.begin());
        connection.request(due);
      }
      break;
  }
}

void Run::on_failed(Connection& connection, const std::string& why) {
  ++errors_[why];
  const int slot = connection.slot();
  watched_.erase(&connection);
  std::erase(idle_, &connection);
  const auto found = connections_.find(slot);
  if (found != connections_.end()) {
    dead_.push_back(std::move(found->second));
    connections_.erase(found);
  }
  last_progress_ = Clock::now();
  // Failing for ever at once would be a load of another kind.
  if (!is_ending_ && errors_.size() < 1000 && errors_[why] < 100) to_open_.push_back(slot);
}

void Run::open_more() {
  const auto slots = std::exchange(to_open_, {});
  for (const int slot : slots) open_slot(slot);
}

void Run::turn(std::chrono::milliseconds wait) {
  epoll_event events[256];
  const int count = ::epoll_wait(epoll_, events, 256, static_cast<int>(wait.count()));
  for (int i = 0; i < count; ++i) {
    auto* connection = static_cast<Connection*>(events[i].data.ptr);
    if (watched_.contains(connection)) connection->on_ready();
  }
  for (Connection* connection : std::exchange(again_, {})) {
    if (watched_.contains(connection)) connection->request(Clock::now());
  }
  dead_.clear();
  open_more();
}

void Run::run_until(const std::function<bool()>& is_done) {
  last_progress_ = Clock::now();
  while (!is_done()) {
    if (options_.mode == Mode::kPaced) pace();
    turn(std::chrono::milliseconds(options_.mode == Mode::kPaced ? 1 : 20));
    if (Clock::now() - last_progress_ > options_.timeout) {
      ++errors_["no progress"];
      return;
    }
    if (connections_.empty() && to_open_.empty()) return;
  }
}

// A request counts from when it was due, so a stall is charged to all that it delays.
void Run::pace() {
  const auto now = Clock::now();
  const auto gap = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1.0 / options_.rate));
  if (next_due_ == Clock::time_point{}) next_due_ = now;
  for (; next_due_ <= now; next_due_ += gap) {
    if (idle_.empty()) {
      waiting_.push_back(next_due_);
      continue;
    }
    Connection* connection = idle_.front();
    idle_.erase(idle_.begin());
    connection->request(next_due_);
  }
}

bool Run::is_over() const {
  if (!is_measuring_) return false;
  if (options_.requests > 0) return answers_ >= options_.requests;
  return Clock::now() - begin_ >= options_.seconds;
}

void Run::begin_measuring() {
  is_measuring_ = true;
  begin_ = Clock::now();
}

void Run::hold() {
  const auto until = Clock::now() + options_.hold;
  while (Clock::now() < until) turn(std::chrono::milliseconds(50));
}

int Run::execute() {
  if (!make_tls()) {
    std::cerr << "load: the CA file cannot be read\n";
    return 2;
  }
  for (; next_slot_ < options_.connections; ++next_slot_) to_open_.push_back(next_slot_);
  open_more();
  if (options_.mode == Mode::kIdle) {
    // What the first ones cost is the proxy's warming up.
    const std::uint64_t first = std::max<std::uint64_t>(options_.requests / 20, 1);
    run_until([&] { return all_answers_ >= first; });
    const Usage base = usage_of(options_.pids);
    const std::uint64_t counted_from = all_answers_;
    run_until([&] { return all_answers_ >= options_.requests; });
    hold();
    answers_ = all_answers_ - counted_from;
    print(options_.hold, base, usage_of(options_.pids));
    return 0;
  }
  if (options_.mode != Mode::kMint && options_.mode != Mode::kBulk) {
    const auto warm = Clock::now() + options_.warm_up;
    run_until([&] {
      return Clock::now() >= warm &&
             all_answers_ >= static_cast<std::uint64_t>(options_.connections);
    });
  }
  const Usage before = usage_of(options_.pids);
  begin_measuring();
  run_until([this] { return is_over(); });
  const auto took = Clock::now() - begin_;
  const Usage after = usage_of(options_.pids);
  is_measuring_ = false;
  is_ending_ = true;
  print(took, before, after);
  return 0;
}

void Run::print(Clock::duration took, const Usage& before, const Usage& after) {
  std::sort(latencies_.begin(), latencies_.end());
  const auto quantile = [this](double part) {
    if (latencies_.empty()) return 0.0;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(latencies_.size() - 1));
    return latencies_[at];
  };
  const double seconds = std::chrono::duration<double>(took).count();
  const double answers = static_cast<double>(std::max<std::uint64_t>(answers_, 1));
  const double cpu = after.cpu_seconds - before.cpu_seconds;
  std::uint64_t failed = 0;
  for (const auto& [why, count] : errors_) failed += count;
  std::cout.precision(6);
  std::cout << "{\"answers\": " << answers_ << ", \"errors\": " << failed
            << ", \"seconds\": " << seconds
            << ", \"per_second\": " << static_cast<double>(answers_) / seconds
            << ", \"cpu_us\": " << cpu * 1e6 / answers << ", \"cpu_share\": " << cpu / seconds
            << ", \"p50_us\": " << quantile(0.5) << ", \"p99_us\": " << quantile(0.99)
            << ", \"p999_us\": " << quantile(0.999) << ", \"opened\": " << opened_
            << ", \"resumed\": " << resumed_ << ", \"open\": " << connections_.size()
            << ", \"resident_kib\": " << after.resident_kib << ", \"grown_kib\": "
            << static_cast<double>(after.resident_kib) - static_cast<double>(before.resident_kib)
            << ", \"error_kinds\": {";
  bool is_first = true;
  for (const auto& [why, count] : errors_) {
    std::cout << (is_first ? "" : ", ") << '"' << why << "\": " << count;
    is_first = false;
  }
  std::cout << "}}\n";
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::Run(bench::parse_options(argc, argv)).execute(); }
